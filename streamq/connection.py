"""The connections: which server, how long to wait for it, and what its errors mean to us.

A ``Link`` is one connection with one command in flight. It connects when first used, and again after any
failure: a command that failed, timed out or was cancelled takes its connection with it, so no caller ever reads
another's reply. A pool of links serves ordinary commands; whoever blocks or writes in batches has its own.
redis-py's retries stay off: a write that it repeats could run twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import hiredis
import redis.connection as threaded
from redis import exceptions as foreign
from redis.asyncio import connection as aio
from redis.backoff import NoBackoff
from redis.retry import Retry as ThreadedRetry

from streamq.errors import (
    ConfigurationError,
    OutcomeUnknown,
    OutOfMemory,
    Rejected,
    StreamqError,
    Unavailable,
)
from streamq.settings import Settings

_SCHEMES: Final = ("redis", "rediss", "unix")


class NoGroup(StreamqError):
    """The stream or its group is gone; whoever meets this makes it again and repeats."""


class NoScript(StreamqError):
    """The server does not have the script (it restarted, or its cache was flushed)."""


_BY_FIRST_WORD: Final[dict[str, type[StreamqError]]] = {
    "NOGROUP": NoGroup,
    "NOSCRIPT": NoScript,
    "OOM": OutOfMemory,
    "NOAUTH": Rejected,
    "NOPERM": Rejected,
    "WRONGPASS": Rejected,
    "READONLY": Unavailable,
    "LOADING": Unavailable,
    "MISCONF": Unavailable,
    "BUSY": Unavailable,
    "MASTERDOWN": Unavailable,
    "CLUSTERDOWN": Unavailable,
    "UNBLOCKED": Unavailable,
    "NOREPLICAS": Unavailable,
}
_BY_CLASS: Final[tuple[tuple[type[foreign.RedisError], str], ...]] = (
    (foreign.NoScriptError, "NOSCRIPT"),
    (foreign.OutOfMemoryError, "OOM"),
    (foreign.NoPermissionError, "NOPERM"),
    (foreign.AuthenticationError, "WRONGPASS"),
    (foreign.ReadOnlyError, "READONLY"),
    (foreign.BusyLoadingError, "LOADING"),
    (foreign.ClusterDownError, "CLUSTERDOWN"),
    (foreign.MasterDownError, "MASTERDOWN"),
)


def translate(error: Exception, *, sent: bool) -> StreamqError:
    """redis-py's exception as ours. ``sent`` tells whether the command may have reached the server."""
    if isinstance(error, foreign.ConnectionError) and isinstance(error.__cause__, foreign.RedisError):
        error = error.__cause__  # what the server said while we connected, wrapped by redis-py
    text = str(error)
    word = text.partition(" ")[0]
    for kind, name in _BY_CLASS:  # redis-py cuts the first word off the errors it knows
        if isinstance(error, kind):
            word, text = name, f"{name} {text}"
            break
    if word not in _BY_FIRST_WORD and "NOGROUP" in text:  # an error inside a script is wrapped
        word = "NOGROUP"
    if word not in _BY_FIRST_WORD and "no such key" in text:
        word = "NOGROUP"
    if word in _BY_FIRST_WORD:
        return _BY_FIRST_WORD[word](f"the server says: {text}")
    if isinstance(error, (foreign.ConnectionError, foreign.TimeoutError, OSError, TimeoutError)):
        if sent:
            return OutcomeUnknown(
                f"no answer from the server ({text or 'timed out'}); the command may have run"
            )
        return Unavailable(f"cannot reach the server: {text or 'timed out'}")
    return Rejected(f"the server refuses the command: {text}")


class Servers:
    """Where the server may be: the addresses of ``settings.redis_url``, in order.

    Raises ``ConfigurationError`` for an address that is not ``redis://``, ``rediss://`` or ``unix://``.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self.settings = settings
        addresses = url or settings.redis_url or "redis://127.0.0.1:6379/0"
        self._urls = [address.strip() for address in addresses.split(",") if address.strip()]
        for address in self._urls:
            self._arguments(address, aio.parse_url)

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses without user and password, for people to read."""
        return tuple(_public(url) for url in self._urls)

    def connections(self, client_name: str) -> list[aio.AbstractConnection]:
        """One unopened connection per address, for the event loop."""
        made = []
        for url in self._urls:
            arguments = self._arguments(url, aio.parse_url)
            kind = arguments.pop("connection_class", aio.Connection)
            made.append(kind(**arguments, client_name=client_name))
        return made

    def threaded_connections(self, client_name: str) -> list[threaded.AbstractConnection]:
        """The same for a thread, with a time limit on every read."""
        made = []
        for url in self._urls:
            arguments = self._arguments(url, threaded.parse_url)
            arguments.update(
                client_name=client_name, socket_timeout=self.settings.connect_timeout,
                retry=ThreadedRetry(NoBackoff(), 0),
            )  # fmt: skip
            kind = arguments.pop("connection_class", threaded.Connection)
            made.append(kind(**arguments))
        return made

    def _arguments(self, url: str, parse: Any) -> dict[str, Any]:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ConfigurationError(
                f"{_public(url)!r} is not a server address: use redis://, rediss:// or unix://"
            )
        try:
            arguments: dict[str, Any] = dict(parse(url))
        except ValueError as error:
            raise ConfigurationError(f"{_public(url)!r} is not a server address: {error}") from None
        settings = self.settings
        if settings.redis_username:
            arguments.setdefault("username", settings.redis_username)
        if settings.redis_password:
            arguments.setdefault("password", settings.redis_password.get_secret_value())
        if settings.redis_ca and url.startswith("rediss:"):
            arguments.setdefault("ssl_ca_certs", str(settings.redis_ca))
        return arguments | {
            "protocol": 2, "socket_timeout": None, "socket_connect_timeout": settings.connect_timeout,
            "driver_info": None,
        } | ({} if url.startswith("unix:") else {"socket_keepalive": True})  # fmt: skip


def _public(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


class Link:
    """One connection. Not for two callers at once: its owner sees to that."""

    def __init__(self, servers: Servers, client_name: str = "streamq") -> None:
        self._servers, self._client_name = servers, client_name
        self._timeout = servers.settings.command_timeout
        self._connection: aio.AbstractConnection | None = None
        self.generation = 0
        """How often it has connected: a change tells that the server, or the way to it, was gone."""

    @property
    def connected(self) -> bool:
        """Whether a command would go out without connecting first."""
        return (
            self._connection is not None and self._connection.is_connected and not _hung_up(self._connection)
        )

    async def _connected(self) -> aio.AbstractConnection:
        """The connection, made to the first address that answers. Raises ``Unavailable`` with what each said."""
        if self._connection is not None and self.connected:
            return self._connection
        await self.close()
        said = []
        for connection, name in zip(
            self._servers.connections(self._client_name), self._servers.names, strict=True
        ):
            try:
                async with asyncio.timeout(self._servers.settings.connect_timeout):  # the greeting included
                    await connection.connect()  # type: ignore[no-untyped-call]
            except (foreign.RedisError, OSError) as error:
                problem = translate(error, sent=False)
                said.append(f"{name}: {problem}")
                if isinstance(problem, Rejected):
                    raise Rejected("; ".join(said)) from error
            else:
                self._connection = connection
                self.generation += 1
                return connection
            finally:
                if connection is not self._connection:
                    await connection.disconnect(nowait=True)
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
        """The same, with each of the server's errors in its reply's place. Raises only when it cannot be reached."""
        connection = await self._connected()
        try:
            async with asyncio.timeout(timeout or self._timeout):
                # hiredis packs in C; for a batch of thousands of arguments that is most of the price of sending it
                packed = b"".join(map(hiredis.pack_command, commands))
                await connection.send_packed_command(packed, check_health=False)
                replies = [await self._reply(connection) for _ in commands]
        except (foreign.RedisError, OSError, TimeoutError) as error:
            await self.close()
            raise translate(error, sent=True) from error
        except BaseException:
            await self.close()
            raise
        if any(isinstance(reply, foreign.ReadOnlyError) for reply in replies):
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
            with contextlib.suppress(foreign.RedisError, OSError):
                await connection.disconnect(nowait=True)


def _hung_up(connection: aio.AbstractConnection) -> bool:
    """Whether the server has closed it, as far as the event loop has heard: a command would go nowhere."""
    reader: asyncio.StreamReader | None = connection._reader  # noqa: SLF001  # redis-py tells only by a read
    return reader is None or reader.at_eof() or reader.exception() is not None


class Pool:
    """Links for ordinary commands, at most ``settings.connections``; a caller waits for a free one."""

    def __init__(self, servers: Servers, client_name: str = "streamq") -> None:
        self._servers, self._client_name = servers, client_name
        self._free: list[Link] = []
        self._room = asyncio.Semaphore(servers.settings.connections)

    @contextlib.asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """A link for the block, given back after it."""
        async with self._room:
            link = self._free.pop() if self._free else Link(self._servers, self._client_name)
            try:
                yield link
            finally:
                self._free.append(link)

    async def call(self, *command: Any) -> Any:
        """One ordinary command on a free link."""
        async with self.link() as link:
            return await link.call(*command)

    async def close(self) -> None:
        """Drop every connection that is not in use."""
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
        self.client_id = 0

    def connect(self) -> bool:
        """Connect unless connected; ``True`` when it did. Raises ``Unavailable``."""
        if self._connection is not None:
            return False
        said = []
        for connection in self._servers.threaded_connections(self._client_name):
            try:
                connection.connect()  # type: ignore[no-untyped-call]
            except (foreign.RedisError, OSError) as error:
                said.append(str(translate(error, sent=False)))
                continue
            self._connection = connection
            self.client_id = self.calls(("CLIENT", "ID"))[0]
            return True
        raise Unavailable("; ".join(said))

    def calls(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send commands together and return their replies. Raises ``Unavailable``; the first error among them."""
        replies = self.batch(*commands)
        for reply in replies:
            if isinstance(reply, StreamqError):
                raise reply
        return replies

    def batch(self, *commands: tuple[Any, ...]) -> list[Any]:
        """The same, with each of the server's errors in its reply's place. Drops a connection that fails."""
        connection = self._connection
        if connection is None:
            raise Unavailable("not connected")
        try:
            packed = [b"".join(map(hiredis.pack_command, commands))]
            connection.send_packed_command(packed, check_health=False)  # type: ignore[no-untyped-call]
            return [self._reply(connection) for _ in commands]
        except (foreign.RedisError, OSError) as error:
            self.close()
            raise translate(error, sent=True) from error

    @staticmethod
    def _reply(connection: threaded.AbstractConnection) -> Any:
        try:
            return connection.read_response(disable_decoding=True)
        except foreign.ResponseError as error:
            return translate(error, sent=True)

    def idle(self, seconds: float) -> None:
        """Wait; raises ``Unavailable`` as soon as the connection is gone."""
        connection = self._connection
        if connection is None:
            raise Unavailable("not connected")
        try:
            if not connection.can_read(timeout=seconds):
                return
        except (foreign.RedisError, OSError) as error:
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
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(foreign.RedisError, OSError):
                connection.disconnect()  # type: ignore[no-untyped-call]
