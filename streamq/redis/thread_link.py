"""A connection for a thread, which works while the event loop stands still."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import redis.connection as threaded
from redis import exceptions as foreign

from streamq.errors import StreamqError, Unavailable
from streamq.redis.answers import is_demotion, packed, translate
from streamq.redis.server import Search, Server


class ThreadLink:
    """A connection for a thread, which watches it: ``idle`` returns as soon as the server closes it."""

    def __init__(self, server: Server, client_name: str) -> None:
        self._server, self._client_name = server, client_name
        self._connection: threaded.AbstractConnection | None = None
        self._era = server.era
        self._demoted = False
        self.client_id = 0
        """By which the server knows it, in CLIENT LIST."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._connection is not None

    def connect(self) -> bool:
        """Connect unless connected; ``True`` when it did. Raises ``Unavailable``, ``Rejected`` for a login."""
        if self._connection is not None and not self._demoted and self._era == self._server.era:
            return False
        self.close()
        search = Search()
        for place in self._server.places:
            address = self._server.threaded_where(place, search)
            if address is None:
                continue
            connection, name = self._server.threaded_connection(address, self._client_name), str(address)
            self._era = self._server.era
            try:
                connection.connect()  # type: ignore[no-untyped-call]
                if objection := self._server.objection(self._hello(connection)):
                    search.passed_over(name, objection)
                    continue
                connection.send_command("CLIENT", "ID")  # type: ignore[no-untyped-call]
                self.client_id = connection.read_response()
            except Exception as error:
                search.failed(name, error)
            else:
                self._connection = connection
                return True
            finally:
                if connection is not self._connection:
                    connection.disconnect()  # type: ignore[no-untyped-call]
        raise self._server.not_found(search)

    @staticmethod
    def _hello(connection: threaded.AbstractConnection) -> object:
        connection.send_command("HELLO", 2)  # type: ignore[no-untyped-call]
        try:
            return connection.read_response(disable_decoding=True)
        except foreign.ResponseError:
            return None

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
                self._server.demoted(self._era)
                self._demoted = True  # the next command looks for the new primary
            if isinstance(error, foreign.MovedError):
                self._server.look_soon()
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
