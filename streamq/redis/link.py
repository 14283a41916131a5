"""One connection: how long to wait for it, and what its errors mean to us.

A ``Link`` is one connection with one command in flight. It connects when first used, and again after any
failure: a command that failed, timed out or was cancelled takes its connection with it, so no caller ever reads
another's reply. A pool of links serves ordinary commands; whoever blocks or writes in batches has its own.
redis-py's retries stay off: a write that it repeats could run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from redis import exceptions as foreign
from redis.asyncio import connection as aio

from streamq.errors import Rejected, Unavailable
from streamq.redis.answers import (
    NoGroup,
    NoScript,
    is_demotion,
    is_refusal_to_read,
    left_over,
    packed,
    translate,
)
from streamq.redis.replies import role_says_replica
from streamq.redis.servers import Search, Server, Servers

__all__ = ["Link", "NoGroup", "NoScript", "translate", "wait_ready"]

log = logging.getLogger("streamq.connection")


class Link:
    """One connection. Not for two callers at once: its owner sees to that."""

    def __init__(self, server: Server, client_name: str = "streamq") -> None:
        self.server, self._client_name = server, client_name
        self._timeout = server.settings.command_timeout
        self._connection: aio.AbstractConnection | None = None
        self._era = server.era
        self.generation = 0
        """How often it has connected: a change tells that the server, or the way to it, was gone."""

    @property
    def connected(self) -> bool:
        """Whether a command would go out without connecting first."""
        connection = self._connection
        return (
            connection is not None
            and self._era == self.server.era
            and connection.is_connected
            and not _hung_up(connection)
        )

    async def _connected(self) -> aio.AbstractConnection:
        """The connection, made to the first address that answers. Raises ``Unavailable`` with what each said."""
        if self._connection is not None and self.connected:
            return self._connection
        await self.close()
        search, self._era = Search(), self.server.era
        for connection, name in zip(
            self.server.connections(self._client_name), self.server.names, strict=True
        ):
            try:
                async with asyncio.timeout(self.server.settings.connect_timeout):  # the greeting included
                    await connection.connect()  # type: ignore[no-untyped-call]
                    if self.server.several and await _is_replica(connection):
                        search.is_replica(name)
                        continue
            except Exception as error:
                search.failed(name, error)
            else:
                self._connection = connection
                self.generation += 1
                log.debug("%s is connected to %s", self._client_name, name)
                return connection
            finally:
                if connection is not self._connection:
                    await drop(connection)
        raise search.in_vain()

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
                raise translate(reply, sent=True) from reply
        return replies

    async def batch(self, *commands: tuple[Any, ...], timeout: float | None = None) -> list[Any]:
        """The same, with each of the server's errors in its reply's place. Raises only when it cannot be reached.

        And ``UsageError`` for what cannot be written: then nothing is sent, and the connection stays.
        """
        written = packed(commands)
        connection = self._connection if self.connected else await self._connected()
        assert connection is not None  # noqa: S101  # it is connected
        arrived = _reader(connection)
        replies: list[Any] = []
        errors: list[Exception] = []
        try:
            async with asyncio.timeout(timeout or self._timeout):
                await write(connection, written)
                for _ in commands:  # those before a break count
                    try:
                        reply = await connection.read_response(
                            disable_decoding=True, disconnect_on_error=False
                        )
                    except foreign.ResponseError as error:
                        reply = error
                        errors.append(error)
                    replies.append(reply)
        except Exception as error:
            log.debug("the connection of %s is given up: %r", self._client_name, error)
            await self.close()
            replies += left_over(arrived)
            if replies and is_refusal_to_read(replies[-1]):  # and so it has run none of the others
                return replies + [replies[-1]] * (len(commands) - len(replies))
            raise translate(error, sent=True) from error
        except BaseException:
            await self.close()
            raise
        if errors and any(map(is_demotion, errors)):
            self.server.demoted(self._era)
            await self.close()  # a demoted primary: the next command looks for the new one
        return replies

    @staticmethod
    async def _reply(connection: aio.AbstractConnection) -> Any:
        try:
            return await connection.read_response(disable_decoding=True, disconnect_on_error=False)
        except foreign.ResponseError as error:
            return error

    async def close(self) -> None:
        """Drop the connection; the next command makes a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await drop(connection)


class SharedLink(Link):
    """The same for several callers: each waits for the one before. For those whose calls are short and rare."""

    def __init__(self, server: Server, client_name: str = "streamq") -> None:
        super().__init__(server, client_name)
        self._turn = asyncio.Lock()

    async def batch(self, *commands: tuple[Any, ...], timeout: float | None = None) -> list[Any]:
        """When it is this caller's turn. ``timeout`` counts from then."""
        async with self._turn:
            return await super().batch(*commands, timeout=timeout)


async def write(connection: aio.AbstractConnection, packed: bytes) -> None:
    """Send packed commands. Raises ``OSError`` when the connection is lost.

    Not by redis-py, whose ``writelines`` on a lost connection leaves its file descriptor with the event loop of
    Python 3.12 and 3.13: a later connection that gets the same number is then never read.
    """
    writer: asyncio.StreamWriter | None = connection._writer  # noqa: SLF001  # there is no other way to it
    if writer is None:
        raise ConnectionResetError("the connection is closed")
    writer.write(packed)
    await writer.drain()


async def drop(connection: aio.AbstractConnection) -> None:
    """Close a connection at once: what is not sent yet would keep it open for as long as the server does not read."""
    writer: asyncio.StreamWriter | None = connection._writer  # noqa: SLF001  # the same
    with contextlib.suppress(Exception):  # whatever it says, it is dropped
        await connection.disconnect(nowait=True)
    if writer is not None:
        writer.transport.abort()


async def _is_replica(connection: aio.AbstractConnection) -> bool:
    """Ask by HELLO, which needs no right. A server that does not know it is taken as it is."""
    await connection.send_command("HELLO", 2)
    try:
        return role_says_replica(await connection.read_response(disable_decoding=True))
    except foreign.ResponseError:
        return False


def _reader(connection: aio.AbstractConnection) -> asyncio.StreamReader | None:
    reader: asyncio.StreamReader | None = connection._reader  # noqa: SLF001  # redis-py tells only by a read
    return reader


def _hung_up(connection: aio.AbstractConnection) -> bool:
    """Whether the server has closed it, as far as the event loop has heard: a command would go nowhere."""
    reader: asyncio.StreamReader | None = connection._reader  # noqa: SLF001  # the same, without a call: once a command
    return reader is None or reader.at_eof() or reader.exception() is not None


async def wait_ready(servers: Servers, timeout: float) -> None:
    """Wait until every server answers and has loaded its data, each on a connection of its own.

    Tries again after 50 ms, then twice as long each time up to 2 s. Raises the last ``Unavailable`` when
    ``timeout`` seconds are over, and ``Rejected`` at once when a server refuses us.
    """
    await asyncio.gather(*[_wait_ready(server, timeout) for server in servers.all])


async def _wait_ready(server: Server, timeout: float) -> object:
    link, pause = Link(server, "streamq-ready"), 0.05
    deadline = asyncio.get_running_loop().time() + timeout
    try:
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await link.call("PING")
            except Rejected:
                raise
            except (Unavailable, TimeoutError) as error:
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise Unavailable(
                        f"no server was ready within {timeout:g} s: {str(error) or 'timed out'}"
                    ) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)
    finally:
        await link.close()
