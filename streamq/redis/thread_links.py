"""One connection of a thread to each server: each command goes over the connection of its queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamq.errors import StreamqError
from streamq.redis.answers import in_place
from streamq.redis.servers import Servers
from streamq.redis.thread_link import ThreadLink


class ThreadLinks:
    """A ``ThreadLink`` to each server, for one purpose of one thread: all are kept open."""

    def __init__(self, servers: Servers, client_name: str) -> None:
        self._servers = servers
        self._links = {server: ThreadLink(server, client_name) for server in servers.all}
        self.home = self._links[servers.home]
        """The one to the server of the lists of queues and workers."""

    def connect(self) -> bool:
        """Connect where it is not; ``True`` when it did so anywhere. Raises when no server can be reached.

        What is wrong with one of several servers is told to those who write to its queues.
        """
        met, errors = False, list[StreamqError]()
        for link in self._links.values():
            try:
                met |= link.connect()
            except StreamqError as error:
                errors.append(error)
        if len(errors) == len(self._links):
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
        return in_place(replies, all_asked=len(parts) == len(self._links))

    def of(self, queue: str) -> ThreadLink:
        """The connection to the server of a queue."""
        return self._links[self._servers.of(queue)]

    def idle(self, seconds: float) -> None:
        """Wait; raises ``Unavailable`` as soon as a connection is gone."""
        for link in self._links.values():
            if link.connected:
                link.idle(seconds / len(self._links))

    def wake(self) -> None:
        """End the waiting of ``idle``, from another thread."""
        for link in self._links.values():
            link.wake()

    def close(self) -> None:
        """Drop all connections."""
        for link in self._links.values():
            link.close()
