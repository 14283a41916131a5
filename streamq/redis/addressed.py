"""The servers that an address leads to."""

from __future__ import annotations

from typing import Final

from streamq.errors import ConfigurationError
from streamq.redis.cluster import Cluster
from streamq.redis.sentinel import WatchedServer
from streamq.redis.server import Server
from streamq.redis.servers import Servers
from streamq.settings import Settings
from streamq.settings.location import locations

_DEFAULT: Final = "redis://127.0.0.1:6379/0"


def servers_at(settings: Settings, url: str | None = None) -> Servers:
    """The servers at an address, by default that of the settings. Nothing is asked of them yet.

    Raises ``ConfigurationError`` for one that cannot be read (``settings.location`` has the grammar).
    """
    try:
        addresses = locations(url or settings.secret("redis_url") or _DEFAULT)
    except ValueError as error:
        raise ConfigurationError(f"not the address of a server: {error}") from None
    if addresses[0].through == "cluster":
        return Cluster(settings, addresses[0])
    if addresses[0].through == "sentinel":
        return Servers(settings, WatchedServer(settings, addresses[0]))
    return Servers(settings, Server(settings, addresses))
