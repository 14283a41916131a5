"""Which server each queue lives on."""

from __future__ import annotations

from typing import Final

from streamq.errors import ConfigurationError
from streamq.redis.sentinel import WatchedServer
from streamq.redis.server import Server
from streamq.settings import Settings
from streamq.settings.location import locations

_DEFAULT: Final = "redis://127.0.0.1:6379/0"


class Servers:
    """Which server each queue lives on: asked here and nowhere else. Today it is one server for all of them.

    The list of queues and the list of workers live on ``home``.
    Raises ``ConfigurationError`` for an address that is none (``settings.location`` has their grammar).
    """

    def __init__(self, settings: Settings, url: str | None = None) -> None:
        self.settings = settings
        self.home = self._server(url or settings.secret("redis_url") or _DEFAULT)
        self.all: tuple[Server, ...] = (self.home,)

    def of(self, queue: str) -> Server:  # noqa: ARG002  # the queue decides as soon as there are several
        """The server of a queue."""
        return self.home

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses of all of them, for people to read."""
        return tuple(name for server in self.all for name in server.names)

    def _server(self, text: str) -> Server:
        try:
            addresses = locations(text)
        except ValueError as error:
            raise ConfigurationError(f"not the address of a server: {error}") from None
        if addresses[0].sentinels:
            return WatchedServer(self.settings, addresses[0])
        return Server(self.settings, addresses)
