"""The bytes of one connection: replies as they come, each waited for as long as its caller says.

redis-py connects and greets; what follows are commands and their replies, read here as they arrive. A reply costs
one future and no timer of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any, Final

import hiredis
from redis import exceptions as foreign
from redis.asyncio import connection as aio

_CLOSED: Final = "Connection closed by server."


class Wire(asyncio.Protocol):
    """What comes over one connection, in order. One caller at a time waits; a wait that is cancelled takes nothing."""

    def __init__(self, connection: aio.AbstractConnection) -> None:
        writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]  # noqa: SLF001  # there is no other way to it
        self._loop = asyncio.get_running_loop()
        self._transport: Any = writer.transport
        self._connection: aio.AbstractConnection | None = connection
        self._to_error = connection._parser.parse_error  # noqa: SLF001  # redis-py's classes of errors
        self._parser = hiredis.Reader(protocolError=foreign.InvalidResponse, replyError=self._error)
        self._arrived: deque[Any] = deque()
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = self._alarm_at = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self.lost: Exception | None = None
        """Why nothing comes any more."""
        self.troubled = False
        """Whether any reply was, or contained, an error of the server."""
        self._transport.set_protocol(self)

    def _error(self, text: str) -> Exception:
        self.troubled = True
        error: Exception = self._to_error(text)  # type: ignore[no-untyped-call]
        return error

    def write(self, packed: bytes) -> None:
        """Send packed commands. What the server does not read yet is kept: who sends waits for the replies anyway."""
        try:
            self._transport.write(packed)
        except Exception as error:  # whatever it says, nothing comes any more
            self._lose(error)

    async def take(self, count: int, seconds: float | None) -> list[Any]:
        """The next ``count`` replies. Raises ``TimeoutError``, or what ``lost`` says; then nothing is taken."""
        arrived = self._arrived
        if len(arrived) < count and self.lost is None:
            self._wanted = count
            self._waiter = waiter = self._loop.create_future()
            if seconds is not None:
                self._wake_after(seconds)
            try:
                await waiter
            finally:
                self._waiter = None
        if len(arrived) < count:
            raise self.lost or ConnectionResetError(_CLOSED)
        return [arrived.popleft() for _ in range(count)]

    def left(self) -> list[Any]:
        """What has arrived and was not taken."""
        return list(self._arrived)

    def _wake_after(self, seconds: float) -> None:
        """One timer for all waits: it is set again when it rings, not with each command."""
        self._deadline = deadline = self._loop.time() + seconds
        if self._alarm is None or self._alarm_at > deadline:
            if self._alarm is not None:
                self._alarm.cancel()
            self._ring_at(deadline)

    def _ring_at(self, when: float) -> None:
        self._alarm_at, self._alarm = when, self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline:
            self._ring_at(self._deadline)
        elif not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        parser, arrived = self._parser, self._arrived
        try:
            parser.feed(data)
            while (reply := parser.gets()) is not False:
                arrived.append(reply)
        except Exception as error:  # not a reply
            self._lose(error)
        if len(arrived) >= self._wanted:
            self._wake()

    def eof_received(self) -> None:
        """Called by the event loop."""
        self._lose(ConnectionResetError(_CLOSED))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._lose(error or ConnectionResetError(_CLOSED))

    def _lose(self, why: Exception) -> None:
        if self.lost is None:
            self.lost = why
        self._wake()

    async def close(self) -> None:
        """Drop the connection at once."""
        self._lose(ConnectionResetError("the connection is closed"))
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        connection, self._connection = self._connection, None
        if connection is not None:
            await drop(connection)


async def drop(connection: aio.AbstractConnection) -> None:
    """Close a connection at once: what is not sent yet would keep it open for as long as the server does not read."""
    writer: asyncio.StreamWriter | None = connection._writer  # noqa: SLF001  # there is no other way to it
    with contextlib.suppress(Exception):  # whatever it says, it is dropped
        await connection.disconnect(nowait=True)
    if writer is not None:
        writer.transport.abort()
