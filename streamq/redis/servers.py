"""Which server a queue lives on, where that may be, and how a connection to each address is made."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

import redis.connection as threaded
from redis.asyncio import connection as aio
from redis.backoff import NoBackoff
from redis.retry import Retry as ThreadedRetry

from streamq.errors import ConfigurationError, Rejected, Unavailable
from streamq.redis.answers import translate
from streamq.redis.peers import OwnUserConnection, OwnUserThreadedConnection
from streamq.settings import Settings
from streamq.settings.location import Location, locations

_DEFAULT: Final = "redis://127.0.0.1:6379/0"
_PASSED_OVER: Final = "it is a replica, which takes no jobs; passed over for the next address"


class Server:
    """One server: the addresses where it may be, in order, and how each is reached.

    Raises ``ConfigurationError`` for an address that is not ``redis://``, ``rediss://`` or ``unix://``.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self.settings = settings
        try:
            self._locations = locations(url or settings.secret("redis_url") or _DEFAULT)
        except ValueError as error:
            raise ConfigurationError(f"not the address of a server: {error}") from None
        self.era = 0
        """Counts the times a server of the list was found demoted: connections made before search again."""

    @property
    def several(self) -> bool:
        """Whether there is a choice: then a connection is kept to a primary only."""
        return len(self._locations) > 1

    def demoted(self, era: int) -> None:
        """A connection of that ``era`` met a server that takes no writes any more."""
        if self.several and era == self.era:  # the first of them to notice counts
            self.era += 1

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses without user, password and options, for people to read."""
        return tuple(map(str, self._locations))

    def connections(self, client_name: str) -> list[aio.AbstractConnection]:
        """One unopened connection per address, for the event loop."""
        kinds: dict[str, Any] = {
            "redis": aio.Connection, "rediss": aio.SSLConnection, "unix": aio.UnixDomainSocketConnection,
        }  # fmt: skip
        return [
            _kind(location, kinds, OwnUserConnection)(**self._arguments(location), client_name=client_name)
            for location in self._locations
        ]

    def threaded_connections(self, client_name: str) -> list[threaded.AbstractConnection]:
        """The same for a thread, with a time limit on every read."""
        kinds: dict[str, Any] = {
            "redis": threaded.Connection, "rediss": threaded.SSLConnection,
            "unix": threaded.UnixDomainSocketConnection,
        }  # fmt: skip
        limits = {"socket_timeout": self.settings.connect_timeout, "retry": ThreadedRetry(NoBackoff(), 0)}
        return [
            _kind(location, kinds, OwnUserThreadedConnection)(
                **{**self._arguments(location), **limits}, client_name=client_name
            )
            for location in self._locations
        ]

    def _arguments(self, location: Location) -> dict[str, Any]:
        """How to connect. Asked for each connection, so that a password that was changed in its file counts."""
        settings = self.settings
        arguments: dict[str, Any] = {
            "db": location.db or 0, "protocol": 2, "socket_timeout": None, "driver_info": None,
            "socket_connect_timeout": settings.connect_timeout,
            "username": location.username or settings.redis_username,
            "password": location.password or settings.secret("redis_password"),
        }  # fmt: skip
        if location.path:
            return arguments | {"path": unquote(location.path)}
        arguments |= {
            "host": location.host.strip("[]"),
            "port": location.port or 6379,
            "socket_keepalive": True,
        }
        if location.scheme == "rediss" and settings.redis_ca:
            arguments["ssl_ca_certs"] = str(settings.redis_ca)
        return arguments | location.tls


class Servers:
    """Which server each queue lives on: asked here and nowhere else. Today it is one server for all of them.

    The list of queues and the list of workers live on ``home``. Raises like ``Server``.
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self.settings = settings
        self.home = Server(settings, url)
        self.all: tuple[Server, ...] = (self.home,)

    def of(self, queue: str) -> Server:  # noqa: ARG002  # the queue decides as soon as there are several
        """The server of a queue."""
        return self.home

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses of all of them, for people to read."""
        return tuple(name for server in self.all for name in server.names)


class Search:
    """The search for the primary among the addresses of a server, for the event loop and for threads alike.

    What each address says is kept: it is the reason when none of them will do.
    """

    def __init__(self) -> None:
        self._said: list[str] = []

    def is_replica(self, name: str) -> None:
        """The address leads to a replica: the next one is tried."""
        self._said.append(f"{name}: {_PASSED_OVER}")

    def failed(self, name: str, error: Exception) -> None:
        """It could not be reached. Raises ``Rejected`` for a refused login: the other addresses would refuse it too."""
        problem = translate(error, sent=False)
        self._said.append(f"{name}: {problem}")
        if isinstance(problem, Rejected):
            raise Rejected("; ".join(self._said)) from error

    def unsuccessful(self) -> Unavailable:
        """Why none of the addresses will do."""
        return Unavailable("; ".join(self._said))


def _kind(location: Location, kinds: dict[str, Any], own_user: Any) -> Any:
    return own_user if location.own_user else kinds[location.scheme]
