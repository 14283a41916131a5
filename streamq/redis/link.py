"""The connections: which server, how long to wait for it, and what its errors mean to us.

A ``Link`` is one connection with one command in flight. It connects when first used, and again after any
failure: a command that failed, timed out or was cancelled takes its connection with it, so no caller ever reads
another's reply. A pool of links serves ordinary commands; whoever blocks or writes in batches has its own.
redis-py's retries stay off: a write that it repeats could run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any, Final

import redis.connection as threaded
from redis import exceptions as foreign
from redis.asyncio import connection as aio

from streamq.errors import Rejected, StreamqError, Unavailable
from streamq.redis.answers import (
    NoGroup,
    NoScript,
    is_demotion,
    is_refusal_to_read,
    left_over,
    packed,
    role_says_replica,
    translate,
)
from streamq.redis.servers import Servers

__all__ = ["Link", "NoGroup", "NoScript", "Pool", "Servers", "ThreadLink", "translate", "wait_ready"]

log = logging.getLogger("streamq.connection")

_PASSED_OVER: Final = "it is a replica, which takes no jobs; passed over for the next address"


class Link:
    """One connection. Not for two callers at once: its owner sees to that."""

    def __init__(self, servers: Servers, client_name: str = "streamq") -> None:
        self._servers, self._client_name = servers, client_name
        self._timeout = servers.settings.command_timeout
        self._connection: aio.AbstractConnection | None = None
        self._era = servers.era
        self.generation = 0
        """How often it has connected: a change tells that the server, or the way to it, was gone."""

    @property
    def connected(self) -> bool:
        """Whether a command would go out without connecting first."""
        connection = self._connection
        return (
            connection is not None
            and self._era == self._servers.era
            and connection.is_connected
            and not _hung_up(connection)
        )

    async def _connected(self) -> aio.AbstractConnection:
        """The connection, made to the first address that answers. Raises ``Unavailable`` with what each said."""
        if self._connection is not None and self.connected:
            return self._connection
        await self.close()
        said, self._era = [], self._servers.era
        for connection, name in zip(
            self._servers.connections(self._client_name), self._servers.names, strict=True
        ):
            try:
                async with asyncio.timeout(self._servers.settings.connect_timeout):  # the greeting included
                    await connection.connect()  # type: ignore[no-untyped-call]
                    if self._servers.several and await _is_replica(connection):
                        said.append(f"{name}: {_PASSED_OVER}")
                        continue
            except Exception as error:
                problem = translate(error, sent=False)
                said.append(f"{name}: {problem}")
                if isinstance(problem, Rejected):
                    raise Rejected("; ".join(said)) from error
            else:
                self._connection = connection
                self.generation += 1
                log.debug("%s is connected to %s", self._client_name, name)
                return connection
            finally:
                if connection is not self._connection:
                    await drop(connection)
        raise Unavailable("; ".join(said))

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
            self._servers.demoted(self._era)
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


class Pool:
    """Links for ordinary commands, at most ``settings.connections``; a caller waits for a free one."""

    def __init__(self, servers: Servers, client_name: str = "streamq") -> None:
        self._servers, self._client_name = servers, client_name
        self._free: list[Link] = []
        self._room = asyncio.Semaphore(servers.settings.connections)
        self._closed = False

    @contextlib.asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """A link for the block, given back after it.

        Raises ``Unavailable`` when none came free within ``settings.command_timeout`` seconds.
        """
        await self._wait_for_room()
        link = self._free.pop() if self._free else Link(self._servers, self._client_name)
        try:
            yield link
        finally:
            self._free.append(link)
            self._room.release()
            if self._closed:
                await self.close()

    async def _wait_for_room(self) -> None:
        if not self._room.locked():
            await self._room.acquire()
            return
        settings = self._servers.settings
        try:
            async with asyncio.timeout(settings.command_timeout):
                await self._room.acquire()
        except TimeoutError:
            raise Unavailable(
                f"all {settings.connections} connections for ordinary commands were in use for "
                f"{settings.command_timeout:g} s; nothing was sent. STREAMQ_CONNECTIONS allows more"
            ) from None

    async def call(self, *command: Any) -> Any:
        """One ordinary command on a free link."""
        async with self.link() as link:
            return await link.call(*command)

    async def close(self) -> None:
        """Drop every connection: one in use as soon as it is given back."""
        self._closed = True
        while self._free:
            await self._free.pop().close()


async def wait_ready(servers: Servers, timeout: float) -> object:
    """Wait until a server answers and has loaded its data, on a connection of its own.

    Tries again after 50 ms, then twice as long each time up to 2 s. Raises the last ``Unavailable`` when
    ``timeout`` seconds are over, and ``Rejected`` at once when the server refuses us.
    """
    link, pause = Link(servers, "streamq-ready"), 0.05
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


class ThreadLink:
    """A connection for a thread, which watches it: ``idle`` returns as soon as the server closes it."""

    def __init__(self, servers: Servers, client_name: str) -> None:
        self._servers, self._client_name = servers, client_name
        self._connection: threaded.AbstractConnection | None = None
        self._era = servers.era
        self._demoted = False
        self.client_id = 0

    def connect(self) -> bool:
        """Connect unless connected; ``True`` when it did. Raises ``Unavailable``, ``Rejected`` for a login."""
        if self._connection is not None and not self._demoted and self._era == self._servers.era:
            return False
        self.close()
        said, self._era = [], self._servers.era
        for connection, name in zip(
            self._servers.threaded_connections(self._client_name), self._servers.names, strict=True
        ):
            try:
                connection.connect()  # type: ignore[no-untyped-call]
                if self._servers.several and self._is_replica(connection):
                    said.append(f"{name}: {_PASSED_OVER}")
                    continue
                connection.send_command("CLIENT", "ID")  # type: ignore[no-untyped-call]
                self.client_id = connection.read_response()
            except Exception as error:
                problem = translate(error, sent=False)
                said.append(f"{name}: {problem}")
                if isinstance(problem, Rejected):
                    raise Rejected("; ".join(said)) from error
            else:
                self._connection = connection
                return True
            finally:
                if connection is not self._connection:
                    connection.disconnect()  # type: ignore[no-untyped-call]
        raise Unavailable("; ".join(said))

    @staticmethod
    def _is_replica(connection: threaded.AbstractConnection) -> bool:
        connection.send_command("HELLO", 2)  # type: ignore[no-untyped-call]
        try:
            return role_says_replica(connection.read_response(disable_decoding=True))
        except foreign.ResponseError:
            return False

    def calls(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands together and return their replies. Raises ``Unavailable``, or the first error among them."""
        replies = self.batch(*commands)
        for reply in replies:
            if isinstance(reply, StreamqError):
                raise reply
        return replies

    def batch(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The same, with each of the server's errors, as one of ours, in its reply's place.

        Raises ``Unavailable`` and drops a connection that fails. ``UsageError``: nothing was sent, and it stays.
        """
        connection = self._connection
        if connection is None:
            raise Unavailable("not connected")
        written = [packed(commands)]
        try:
            connection.send_packed_command(written, check_health=False)  # type: ignore[no-untyped-call]
            return [self._reply(connection) for _ in commands]
        except Exception as error:
            self.close()
            raise translate(error, sent=True) from error

    def _reply(self, connection: threaded.AbstractConnection) -> Any:
        try:
            return connection.read_response(disable_decoding=True, disconnect_on_error=False)
        except foreign.ResponseError as error:
            if is_demotion(error):
                self._servers.demoted(self._era)
                self._demoted = True  # the next command looks for the new primary
            return translate(error, sent=True)

    def idle(self, seconds: float) -> None:
        """Wait; raises ``Unavailable`` as soon as the connection is gone."""
        connection = self._connection
        if connection is None:
            raise Unavailable("not connected")
        try:
            if not connection.can_read(timeout=seconds):
                return
        except Exception as error:
            self.close()
            raise translate(error, sent=False) from error
        self.close()
        raise Unavailable("the server closed the connection")

    def wake(self) -> None:
        """End the waiting of ``idle``, from another thread."""
        sock: socket.socket | None = getattr(self._connection, "_sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):  # closed meanwhile
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection, self._demoted = self._connection, None, False
        if connection is not None:
            with contextlib.suppress(Exception):  # whatever it says, it is dropped
                connection.disconnect()  # type: ignore[no-untyped-call]
