"""A TCP proxy that does to a connection what networks do: cut it, swallow answers, stand still."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple, Self

from .clusters import Alone
from .servers import Server


class Fate(NamedTuple):
    """What becomes of what a client has sent, and of its connection, which ends with it."""

    passed: int
    """So many bytes of it reach the server; if all do, it has done what they ask for."""
    then: Callable[[], None] = lambda: None
    """Called when they have, before the client can notice anything."""


@contextlib.asynccontextmanager
async def before(server: Server) -> AsyncIterator[Proxy]:
    """A proxy before a server. A cluster of one node says meanwhile that it is reached there."""
    async with Proxy(server.port or str(server.socket)) as proxy:
        if not isinstance(server, Alone):
            yield proxy
            return
        server.ask("CONFIG", "SET", "cluster-announce-port", proxy.port)
        proxy.url = f"redis+cluster://127.0.0.1:{proxy.port}"
        try:
            yield proxy
        finally:
            server.ask("CONFIG", "SET", "cluster-announce-port", 0)


class Proxy:
    """Stands on 127.0.0.1 before a server, at its unix socket or its port.

    ``swallow``  bytes: the connection that sends them next is cut after the server answered, the answer lost
    ``judge``    called with what a client sends: the ``Fate`` of that, or ``None`` to let it pass
    ``cut()``    ends every connection now
    ``closed``   refuses new connections while true
    ``linger``   seconds for which the server's side of a connection stays open after the client's side has ended
    """

    def __init__(self, server: str | int) -> None:
        self._behind = server
        self.swallow = b""
        self.swallowed = 0
        self.judge: Callable[[bytes], Fate | None] | None = None
        self.closed = False
        self.linger = 0.0
        self._leaving = asyncio.Event()
        self._handlers: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._leaving.set()
        self.cut()
        if self._handlers:
            await asyncio.wait(self._handlers)

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self._writers.add(writer)
        try:
            if not self.closed:
                await self._connect(reader, writer)
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._handlers.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await self._to_server()
        answers = asyncio.create_task(self._copy(from_server, writer))
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                fate = self._fate(data)
                if fate is not None:
                    answers.cancel()
                    await asyncio.wait([answers])
                to_server.write(data[: fate.passed] if fate else data)
                await to_server.drain()
                if fate is not None:
                    if fate.passed == len(data):
                        await from_server.read(1 << 16)  # the server has done it; nobody learns of it
                    fate.then()
                    break
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.linger):
                await self._leaving.wait()
        answers.cancel()
        await asyncio.wait([answers])
        to_server.close()
        with contextlib.suppress(ConnectionError):
            await to_server.wait_closed()

    async def _to_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._behind, int):
            return await asyncio.open_connection("127.0.0.1", self._behind)
        return await asyncio.open_unix_connection(self._behind)

    def _fate(self, data: bytes) -> Fate | None:
        if self.swallow and self.swallow in data:
            self.swallow = b""
            return Fate(len(data), self._count)
        return self.judge(data) if self.judge is not None else None

    def _count(self) -> None:
        self.swallowed += 1

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            writer.close()
