"""One connection to each server, for one purpose: each command goes over the connection of its queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.redis.answers import in_place
from streamq.redis.link import Link, SharedLink
from streamq.redis.server import Server
from streamq.redis.servers import Servers

Send = Callable[[Link, Sequence[int]], Awaitable[list[Any]]]
"""Sends what stands at some places of the list of queues over a connection, and returns the replies in that order."""


class Links:
    """Not for two callers at once, like each ``Link``, unless they are made for it: their owner sees to that."""

    __slots__ = ("_client_name", "_kind", "_links", "_servers", "is_one")

    def __init__(self, servers: Servers, client_name: str = "streamq", *, shared: bool = False) -> None:
        self._servers, self._client_name, self._kind = servers, client_name, SharedLink if shared else Link
        self._links: dict[Server, Link] = {}
        self.is_one: Final = servers.is_one
        """Whether all queues live on one server."""

    @property
    def home(self) -> Link:
        """The connection to the server of the lists of queues and workers."""
        return self.to(self._servers.home)

    def of(self, queue: str) -> Link:
        """The connection to the server of a queue."""
        return self.to(self._servers.of(queue))

    def beside(self, link: Link) -> Link:
        """The connection to the server of another one."""
        return self.to(link.server)

    def to(self, server: Server) -> Link:
        """The connection to a server."""
        link = self._links.get(server)
        if link is None:
            link = self._links[server] = self._kind(server, self._client_name)
        return link

    def split(self, queues: Sequence[str]) -> dict[Link, list[int]]:
        """The places of the queues by their connection."""
        parts: dict[Link, list[int]] = {}
        for place, queue in enumerate(queues):
            parts.setdefault(self.of(queue), []).append(place)
        return parts

    async def pipeline(self, queues: Sequence[str], send: Send) -> list[Any]:
        """What ``send`` is answered for each queue, in order: one pipeline per server, all at once.

        An error is in the place of its reply, as one of ours: it concerns that queue alone, or all of its server.
        Raises only what concerns all servers, as when none can be reached or all load their data.
        """
        asked = 1
        if self.is_one:
            replies = await send(self.home, range(len(queues)))
        else:
            parts = self.split(queues)
            asked, replies = len(parts), await self._spread(parts, len(queues), send)
        return in_place(replies, all_asked=asked == len(self._servers.all))

    async def commands(self, queues: Sequence[str], commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """One command for each queue, in one pipeline per server."""
        return await self.pipeline(
            queues, lambda link, places: link.batch(*[commands[place] for place in places])
        )

    @staticmethod
    async def _spread(parts: dict[Link, list[int]], count: int, send: Send) -> list[Any]:
        replies: list[Any] = [None] * count
        answers = await asyncio.gather(*[send(*part) for part in parts.items()], return_exceptions=True)
        for places, answer in zip(parts.values(), answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, StreamqError):
                raise answer  # a fault of ours, or the end of the loop
            own = [answer] * len(places) if isinstance(answer, StreamqError) else answer
            for place, reply in zip(places, own, strict=True):
                replies[place] = reply
        return replies

    @property
    def connected(self) -> bool:
        """Whether every connection that was used so far is there."""
        return all(link.connected for link in self._links.values() if link.generation) and self.generation > 0

    @property
    def generation(self) -> int:
        """How often any of them has connected: a change tells that a server, or the way to it, was gone."""
        return sum([link.generation for link in self._links.values()])

    @property
    def reconnections(self) -> int:
        """How often any of them has connected again: a change tells that a server was gone, and not that one is new."""
        return sum([link.generation - 1 for link in self._links.values() if link.generation])

    def is_idle(self, seconds: float) -> bool:
        """Whether none of them was used for so long."""
        return all(link.is_idle(seconds) for link in self._links.values())

    async def close(self) -> None:
        """Drop all connections; the next command makes a new one."""
        for link in self._links.values():
            await link.close()
