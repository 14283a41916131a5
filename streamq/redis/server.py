"""One server: the addresses where it may be, and how a connection to each is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol
from urllib.parse import unquote

import redis.connection as threaded
from redis.asyncio import connection as aio
from redis.backoff import NoBackoff
from redis.exceptions import MovedError
from redis.retry import Retry as ThreadedRetry

from streamq.errors import Rejected, StreamqError, Unavailable
from streamq.redis.answers import translate
from streamq.redis.peers import OwnUserConnection, OwnUserThreadedConnection
from streamq.redis.replies import greeting_in
from streamq.settings import Settings
from streamq.settings.location import Location

_IS: Final = {
    "sentinel": "it is a Sentinel: write redis+sentinel://h1:26379,h2,h3/name, with the name that it watches",
    "cluster": "it is a node of a cluster: write redis+cluster://h1:6379,h2,h3",
    "standalone": "it is a server of its own, neither a Sentinel nor a node of a cluster: write redis://host:6379",
}
_IS_REPLICA: Final = "it is a replica, which takes no jobs"


class Closes(Protocol):
    """A connection, as far as its server knows it."""

    server: Server

    def is_idle(self, seconds: float) -> bool:
        """Whether nothing has gone over it for so long."""

    async def close(self) -> None:
        """Drop it: the next command makes a new one."""


class Server:
    """One server, which is a primary: the addresses where it may be, in order, and how each is reached."""

    mode = "standalone"
    """How it must have been started, in the word of HELLO."""
    follow: (
        Callable[[Any, Sequence[tuple[Any, ...]], list[Any], float | None], Awaitable[list[Any]]] | None
    ) = None
    """Sends again the commands whose keys another server has, by their replies; the first argument is this server."""

    def __init__(self, settings: Settings, addresses: Sequence[Location]) -> None:
        self.settings = settings
        self._addresses = tuple(addresses)
        self.era = 0
        """Counts the times a server was found demoted: connections made before search again."""

    @property
    def several(self) -> bool:
        """Whether there is a choice: then a connection is kept to a primary only."""
        return len(self._addresses) > 1

    @property
    def announced(self) -> str:
        """What to do where it cannot be reached at an address that others have named; empty where the user has."""
        return ""

    def objection(self, hello: object) -> str:
        """Why it is passed over, by what it answers to HELLO; nothing, ``""``, for one that will do.

        Raises ``Rejected`` for what is no server of this kind: the address is wrong.
        """
        greeting = greeting_in(hello)
        if greeting.mode and greeting.mode != self.mode:
            raise Rejected(_IS[greeting.mode])
        return _IS_REPLICA if self.several and greeting.is_replica else ""

    def demoted(self, era: int) -> None:
        """A connection of that ``era`` met a server that takes no writes any more."""
        if self.several and era == self.era:  # the first of them to notice counts
            self.era += 1

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses without user, password and options, for people to read."""
        return tuple(map(str, self._addresses))

    @property
    def places(self) -> tuple[Location, ...]:
        """What to try, or whom to ask, in this order."""
        return self._addresses

    async def where(self, place: Location, search: Search) -> Location | None:  # noqa: ARG002  # for those who ask
        """The address that a place stands for; ``None``, told to ``search``, when it cannot be known."""
        return place

    def threaded_where(self, place: Location, search: Search) -> Location | None:  # noqa: ARG002
        """The same for a thread."""
        return place

    def moved(self, to: MovedError) -> None:
        """It says that another has the keys of a command."""

    def look_soon(self) -> None:
        """What is known of where queues live may be out of date. Also for threads."""

    def not_found(self, search: Search) -> StreamqError:
        """A search has come to nothing; why is returned."""
        return search.unsuccessful()

    def opened(self, link: Closes) -> None:
        """A connection was made, which must be left when the server moves."""

    async def closed(self, link: Closes) -> None:
        """It was dropped."""

    def connection(self, address: Location, client_name: str) -> aio.AbstractConnection:
        """An unopened connection to an address, for the event loop."""
        kinds: dict[str, Any] = {
            "redis": aio.Connection, "rediss": aio.SSLConnection, "unix": aio.UnixDomainSocketConnection,
        }  # fmt: skip
        made: aio.AbstractConnection = _kind(address, kinds, OwnUserConnection)(
            **self._arguments(address), client_name=client_name
        )
        return made

    def threaded_connection(self, address: Location, client_name: str) -> threaded.AbstractConnection:
        """The same for a thread, with a time limit on every read."""
        kinds: dict[str, Any] = {
            "redis": threaded.Connection, "rediss": threaded.SSLConnection,
            "unix": threaded.UnixDomainSocketConnection,
        }  # fmt: skip
        limits = {"socket_timeout": self.settings.connect_timeout, "retry": ThreadedRetry(NoBackoff(), 0)}
        made: threaded.AbstractConnection = _kind(address, kinds, OwnUserThreadedConnection)(
            **{**self._arguments(address), **limits}, client_name=client_name
        )
        return made

    def _login(self, address: Location) -> tuple[str | None, str]:
        """Asked for each connection, so that a password that was changed in its file counts."""
        settings = self.settings
        return address.username or settings.redis_username, address.password or settings.secret(
            "redis_password"
        )

    def _arguments(self, address: Location) -> dict[str, Any]:
        settings = self.settings
        username, password = self._login(address)
        arguments: dict[str, Any] = {
            "db": address.db or 0, "protocol": 2, "socket_timeout": None, "driver_info": None,
            "socket_connect_timeout": settings.connect_timeout, "username": username, "password": password,
        }  # fmt: skip
        if address.path:
            return arguments | {"path": unquote(address.path)}
        arguments |= {
            "host": address.host.strip("[]"),
            "port": address.port or 6379,
            "socket_keepalive": True,
        }
        if address.scheme == "rediss" and settings.redis_ca:
            arguments["ssl_ca_certs"] = str(settings.redis_ca)
        return arguments | address.tls


class Search:
    """The search for the primary among the addresses of a server, for the event loop and for threads alike.

    What each address says is kept: it is the reason when none of them will do.
    """

    def __init__(self) -> None:
        self._said: list[str] = []
        self.unreached: set[str] = set()
        """The addresses at which nobody has said a word."""
        self._unknown = 0

    def passed_over(self, name: str, why: str) -> None:
        """The address leads to no primary: the next one is tried."""
        self._said.append(f"{name}: {why}; passed over for the next address")

    def unknown(self, name: str, said: str) -> None:
        """It knows nothing of the server. When all say so, the address is wrong."""
        self._said.append(f"{name}: {said}")
        self._unknown += 1

    def failed(self, name: str, error: Exception) -> None:
        """It could not be reached. Raises ``Rejected`` for a refused login: the other addresses would refuse it too."""
        problem = translate(error, sent=False)
        named = str(problem).startswith(name)  # by the search of one who was asked for the way
        self._said.append(str(problem) if named else f"{name}: {problem}")
        if isinstance(problem, Rejected):
            raise Rejected("; ".join(self._said)) from error
        if str(problem).startswith("cannot reach"):
            self.unreached.add(name)

    def advised(self, advice: str) -> None:
        """What to do, behind what the addresses say."""
        self._said.append(advice)

    def unsuccessful(self) -> Unavailable:
        """Why none of the addresses will do."""
        kind = Rejected if self._unknown == len(self._said) else Unavailable
        return kind("; ".join(self._said))


def _kind(location: Location, kinds: dict[str, Any], own_user: Any) -> Any:
    return own_user if location.own_user else kinds[location.scheme]
