"""One connection: how long to wait for it, and what its errors mean to us.

A ``Link`` is one connection, nearly always with one command in flight. It connects when first used, and again after any
failure: a command that failed, timed out or was cancelled takes its connection with it, so no caller ever reads
another's reply. A pool of links serves ordinary commands; whoever blocks or writes in batches has its own.
redis-py's retries stay off: a write that it repeats could run twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

from redis import exceptions as foreign
from redis.asyncio import connection as aio

from streamq.errors import StreamqError
from streamq.model.clock import monotonic
from streamq.model.moving import is_door
from streamq.model.places import queue_of
from streamq.model.slots import partition_in, tag_in
from streamq.noun_errors import QueueMoved
from streamq.redis.answers import is_demotion, is_foreign, is_refusal_to_read, packed, translate
from streamq.redis.server import Search, Server
from streamq.redis.wire import Wire, drop

log = logging.getLogger("streamq.connection")


class Sent:
    """Commands that are under way, and the connection over which their replies come."""

    __slots__ = ("count", "replies", "wire")

    def __init__(self, wire: Wire, count: int) -> None:
        self.wire, self.count = wire, count
        self.replies: list[Any] | None = None
        """``None`` as long as they were not read."""


class Link:
    """One connection. Not for two callers at once: its owner sees to that."""

    def __init__(self, server: Server, client_name: str = "streamq") -> None:
        self.server, self._client_name = server, client_name
        self._timeout = server.settings.command_timeout
        self._wire: Wire | None = None
        self._under_way: deque[Sent] = deque()
        self._era = server.era
        self._used = 0.0
        self.generation = 0
        """How often it has connected: a change tells that the server, or the way to it, was gone."""

    @property
    def connected(self) -> bool:
        """Whether a command would go out without connecting first."""
        wire = self._wire
        return wire is not None and wire.lost is None and self._era == self.server.era

    async def connect(self) -> None:
        """Connect to the first address that answers, unless connected. Raises ``Unavailable`` with what each said."""
        if self.connected:
            return
        await self.close()
        search = Search()
        for place in self.server.places:
            address = await self.server.where(place, search)
            if address is None:
                continue
            connection, name = self.server.connection(address, self._client_name), str(address)
            self._era = self.server.era
            try:
                async with asyncio.timeout(self.server.settings.connect_timeout):  # the greeting included
                    await connection.connect()  # type: ignore[no-untyped-call]
                    objection = self.server.objection(await _hello(connection))
                if objection:
                    search.passed_over(name, objection)
                    continue
                self._wire = Wire(connection)
            except Exception as error:
                search.failed(name, error)
            else:
                self.generation += 1
                self.server.opened(self)
                log.debug("%s is connected to %s", self._client_name, name)
                return
            finally:
                if self._wire is None:
                    await drop(connection)
        raise self.server.not_found(search)

    async def call(self, *command: Any, timeout: float | None = None) -> Any:
        """Send one command and return its raw reply (bytes, int, list or None).

        ``timeout`` is in seconds, by default ``settings.command_timeout``.
        Raises what ``translate`` makes of the server's error.
        """
        return (await self.calls(command, timeout=timeout))[0]

    async def calls(self, *commands: tuple[Any, ...], timeout: float | None = None) -> list[Any]:
        """Send commands together and return their replies in order. Raises the first error among them."""
        replies = await self.batch(*commands, timeout=timeout)
        for reply in replies:
            if isinstance(reply, Exception):
                error = translate(reply, sent=True)
                raise await self.explained(
                    error, [command[1] for command in commands if command[1:]]
                ) from reply
        return replies

    async def explained(self, error: StreamqError, keys: Sequence[Any]) -> StreamqError:
        """An error that was met at these keys: as ``QueueMoved`` where one has the text that its queue moves."""
        if not is_foreign(error):
            return error
        names = [key for key in keys if isinstance(key, str) and "}" in key]
        for key, said in zip(names, await self.batch(*[("GET", key) for key in names]), strict=True):
            text = said.decode("utf-8", "replace") if isinstance(said, bytes) else ""
            if is_door(text):
                return QueueMoved(queue_of(partition_in(tag_in(key))), text)
        return error

    async def batch(self, *commands: tuple[Any, ...], timeout: float | None = None) -> list[Any]:
        """The same, with each of the server's errors in its reply's place. Raises only when it cannot be reached.

        And ``UsageError`` for what cannot be written: then nothing is sent, and the connection stays.
        """
        replies = await self.once(*commands, timeout=timeout)
        if self.server.follow is None:
            return replies
        return await self.server.follow(self.server, commands, replies, timeout)

    async def once(self, *commands: tuple[Any, ...], timeout: float | None = None) -> list[Any]:
        """The same, also where the server says that another has the keys."""
        written = packed(commands)
        if not self.connected:
            await self.connect()
        try:
            return await self.replies(self._send(written, len(commands)), timeout)
        except asyncio.CancelledError:
            await self.close()
            raise

    def begin(self, *commands: tuple[Any, ...]) -> Sent:
        """Send commands over a connection that is there, also while others are under way; ``replies`` waits for them.

        Raises ``UsageError`` as ``batch`` does.
        """
        return self._send(packed(commands), len(commands))

    def _send(self, written: bytes, count: int) -> Sent:
        assert self._wire is not None  # noqa: S101  # it is connected
        sent = Sent(self._wire, count)
        self._used = monotonic()
        self._under_way.append(sent)
        self._wire.write(written)
        return sent

    async def replies(self, sent: Sent, timeout: float | None = None) -> list[Any]:
        """The replies to what ``begin`` sent, as ``batch`` returns them. Cancelled, it may be called again."""
        wire = sent.wire
        try:
            while sent.replies is None:
                oldest = self._next_over(wire)
                oldest.replies = await wire.take(oldest.count, timeout or self._timeout)
                if self._under_way and self._under_way[0] is oldest:  # else it was closed meanwhile
                    self._under_way.popleft()
                if wire.troubled:
                    await self._look_for_trouble(wire, oldest.replies)
        except Exception as error:
            log.debug("the connection of %s is given up: %r", self._client_name, error)
            if wire is self._wire:
                await self.close()
            left = wire.left()
            if left and is_refusal_to_read(left[-1]):  # and so it has run none of the others
                return left + [left[-1]] * (sent.count - len(left))
            raise translate(error, sent=True) from error
        return sent.replies

    def _next_over(self, wire: Wire) -> Sent:
        """Whose replies come next. Raises why none will come."""
        if wire is not self._wire:
            raise wire.lost or ConnectionResetError
        return self._under_way[0]

    async def _look_for_trouble(self, wire: Wire, replies: Sequence[Any]) -> None:
        """Leave a server that is not, or no more, what it should be. Raises what concerns the connection."""
        wire.troubled = False
        for reply in replies:
            if isinstance(reply, foreign.ConnectionError):
                raise reply
            if isinstance(reply, foreign.MovedError):
                self.server.moved(reply)
        if any(isinstance(reply, foreign.ResponseError) and is_demotion(reply) for reply in replies):
            self.server.demoted(self._era)
            await self.close()  # a demoted primary: the next command looks for the new one
        elif is_refusal_to_read(replies[-1]):
            await self.close()  # the server closes it too, which we have not heard yet

    async def close(self) -> None:
        """Drop the connection; the next command makes a new one."""
        wire, self._wire = self._wire, None
        self._under_way.clear()
        if wire is not None:
            await wire.close()
        if self._wire is None:  # else somebody has connected meanwhile
            await self.server.closed(self)

    def is_idle(self, seconds: float) -> bool:
        """Whether nothing has gone over it for so long, so that it may as well be dropped."""
        return not self._under_way and monotonic() - self._used > seconds


class SharedLink(Link):
    """The same for several callers: each waits for the one before. For those whose calls are short and rare."""

    def is_idle(self, seconds: float) -> bool:  # noqa: ARG002
        """Never: others look by it whether the server was away."""
        return False

    def __init__(self, server: Server, client_name: str = "streamq") -> None:
        super().__init__(server, client_name)
        self._turn = asyncio.Lock()

    async def once(self, *commands: tuple[Any, ...], timeout: float | None = None) -> list[Any]:
        """When it is this caller's turn. ``timeout`` counts from then."""
        async with self._turn:
            return await super().once(*commands, timeout=timeout)


async def _hello(connection: aio.AbstractConnection) -> object:
    """What it says of itself, which needs no right. A server that does not know the question is taken as it is."""
    await connection.send_command("HELLO", 2)
    try:
        return await connection.read_response(disable_decoding=True)
    except foreign.ResponseError:
        return None
