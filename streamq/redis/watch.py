"""What a process does about its servers as long as it has a connection to any of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from streamq.redis.link import SharedLink
from streamq.redis.server import Closes, Server


class Watch:
    """A task that begins with the first connection and ends with the last.

    Each connection is kept with its ``era``, by which those are known that must be left.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work, self._name = work, name
        self._links: dict[Closes, int] = {}
        self._task: asyncio.Task[None] | None = None

    def opened(self, link: Closes, era: int) -> None:
        """A connection was made."""
        self._links[link] = era
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work(), name=self._name)

    def shared_with(self, servers: Collection[Server]) -> SharedLink | None:
        """A connection to one of these servers over which others may ask too, if there is any."""
        shared = [link for link in self._links if isinstance(link, SharedLink) and link.connected]
        return next((link for link in shared if link.server in servers), None)

    async def closed(self, link: Closes) -> None:
        """It was dropped."""
        self._links.pop(link, None)
        task = self._task
        if self._links or task is None or task is asyncio.current_task():
            return
        self._task = None
        task.cancel()
        await asyncio.wait([task])

    async def leave(self, former: Callable[[Closes, int], bool]) -> None:
        """Drop the connections for which ``former`` says so, also those that wait for a reply: their owners connect
        anew."""
        for link in [link for link, era in self._links.items() if former(link, era)]:
            await link.close()
