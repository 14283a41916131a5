"""Connections for ordinary commands, shared by all who have none of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from streamq.errors import Unavailable
from streamq.redis.links import Links
from streamq.redis.servers import Servers


class Pool:
    """``Links`` for ordinary commands, at most ``settings.connections``; a caller waits for a free one."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._free: list[Links] = []
        self._room = asyncio.Semaphore(servers.settings.connections)
        self._closed = False

    @contextlib.asynccontextmanager
    async def links(self) -> AsyncIterator[Links]:
        """Connections for the block, given back after it.

        Raises ``Unavailable`` when none came free within ``settings.command_timeout`` seconds.
        """
        await self._wait_for_room()
        links = self._free.pop() if self._free else Links(self._servers)
        try:
            yield links
        finally:
            self._free.append(links)
            self._room.release()
            if self._closed:
                await self.close()

    async def _wait_for_room(self) -> None:
        if not self._room.locked():
            await self._room.acquire()
            return
        settings = self._servers.settings
        try:
            async with asyncio.timeout(settings.command_timeout):
                await self._room.acquire()
        except TimeoutError:
            raise Unavailable(
                f"all {settings.connections} connections for ordinary commands were in use for "
                f"{settings.command_timeout:g} s; nothing was sent. STREAMQ_CONNECTIONS allows more"
            ) from None

    async def call(self, queue: str, *command: Any) -> Any:
        """One ordinary command about a queue."""
        async with self.links() as links:
            return await links.of(queue).call(*command)

    async def call_home(self, *command: Any) -> Any:
        """One about the list of queues, the list of workers, or the server itself."""
        async with self.links() as links:
            return await links.home.call(*command)

    async def close(self) -> None:
        """Drop every connection: one in use as soon as it is given back."""
        self._closed = True
        while self._free:
            await self._free.pop().close()
