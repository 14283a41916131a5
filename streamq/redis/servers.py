"""Which server each queue lives on."""

from __future__ import annotations

from collections.abc import Callable

from streamq.redis.server import Server
from streamq.settings import Settings


class Servers:
    """Which server each queue lives on: asked here and nowhere else. Here it is one server for all of them."""

    def __init__(self, settings: Settings, server: Server) -> None:
        self.settings = settings
        self._server = server

    @property
    def home(self) -> Server:
        """The server of the list of queues, of the list of workers, and of all else that is no queue's."""
        return self._server

    @property
    def all(self) -> tuple[Server, ...]:
        """All of them."""
        return (self._server,)

    @property
    def is_one(self) -> bool:
        """Whether all queues live on one server, and will."""
        return True

    def of(self, queue: str) -> Server:  # noqa: ARG002
        """The server of a queue."""
        return self._server

    @property
    def names(self) -> tuple[str, ...]:
        """The addresses of all of them, for people to read."""
        return tuple(name for server in self.all for name in server.names)

    def on_change(self, told: Callable[[], object]) -> None:
        """Have ``told`` called whenever a queue may live on another server than before."""

    async def prepare(self) -> None:
        """Learn where the queues live. Raises ``Unavailable``."""
