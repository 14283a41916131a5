"""Where the server may be, and how a connection to each address is made."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import redis.connection as threaded
from redis.asyncio import connection as aio
from redis.backoff import NoBackoff
from redis.retry import Retry as ThreadedRetry

from streamq.errors import ConfigurationError
from streamq.peers import OWN_USER, OwnUserConnection, OwnUserThreadedConnection
from streamq.settings import Settings

_SCHEMES: Final = ("redis", "rediss", "unix")


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
        self.era = 0
        """Counts the times a server of the list was found demoted: connections made before look anew."""

    @property
    def several(self) -> bool:
        """Whether there is a choice: then a connection is kept to a primary only."""
        return len(self._urls) > 1

    def demoted(self, era: int) -> None:
        """A connection of that ``era`` met a server that takes no writes any more."""
        if self.several and era == self.era:  # the first of them to notice counts
            self.era += 1

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
            if _asks_for_own_user(url):
                kind = OwnUserConnection
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
            if _asks_for_own_user(url):
                kind = OwnUserThreadedConnection
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


def _asks_for_own_user(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "unix" and parts.fragment == OWN_USER


def _public(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
