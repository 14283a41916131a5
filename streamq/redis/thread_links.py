"""One connection of a thread to each server: each command goes over the connection of its queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamq.errors import StreamqError
from streamq.redis.answers import in_place
from streamq.redis.server import Server
from streamq.redis.servers import Servers
from streamq.redis.thread_link import ThreadLink


class ThreadLinks:
    """A ``ThreadLink`` to each server, for one purpose of one thread: all are kept open."""

    def __init__(self, servers: Servers, client_name: str) -> None:
        self._servers, self._client_name = servers, client_name
        self._links: dict[Server, ThreadLink] = {}

    @property
    def home(self) -> ThreadLink:
        """The one to the server of the lists of queues and workers."""
        return self._to(self._servers.home)

    def of(self, queue: str) -> ThreadLink:
        """The connection to the server of a queue."""
        return self._to(self._servers.of(queue))

    def _to(self, server: Server) -> ThreadLink:
        link = self._links.get(server)
        if link is None:
            link = self._links[server] = ThreadLink(server, self._client_name)
        return link

    @property
    def clients(self) -> dict[str, int]:
        """By the address of each server that is connected, the number by which it knows us."""
        return {server.names[0]: link.client_id for server, link in self._links.items() if link.connected}

    def connect(self) -> bool:
        """Connect where it is not; ``True`` when it did so anywhere. Raises when no server can be reached.

        What is wrong with one of several servers is told to those who write to its queues.
        """
        met, errors, servers = False, list[StreamqError](), self._servers.all
        for server in [server for server in self._links if server not in servers]:
            self._links.pop(server).close()
        for server in servers:
            try:
                met |= self._to(server).connect()
            except StreamqError as error:
                errors.append(error)
        if len(errors) == len(servers):
            raise errors[0]
        return met

    def commands(self, queues: Sequence[str], commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One command for each queue, in one pipeline per server; replies in order, with each error in its place.

        Raises ``Unavailable`` when no server can be reached.
        """
        replies: list[Any] = [None] * len(queues)
        parts: dict[ThreadLink, list[int]] = {}
        for place, queue in enumerate(queues):
            parts.setdefault(self.of(queue), []).append(place)
        for link, places in parts.items():
            try:
                own = link.batch(*[commands[place] for place in places])
            except StreamqError as error:
                own = [error] * len(places)
            for place, reply in zip(places, own, strict=True):
                replies[place] = reply
        return in_place(replies, all_asked=len(parts) == len(self._servers.all))

    def idle(self, seconds: float) -> None:
        """Wait; raises ``Unavailable`` as soon as a connection is gone."""
        links = [link for link in self._links.values() if link.connected]
        for link in links:
            link.idle(seconds / len(links))

    def wake(self) -> None:
        """End the waiting of ``idle``, from another thread."""
        for link in self._links.values():
            link.wake()

    def close(self) -> None:
        """Drop all connections."""
        for link in self._links.values():
            link.close()
