"""Connections for ordinary commands, shared by all who have none of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from streamq.errors import Unavailable
from streamq.redis.links import Links
from streamq.redis.servers import Servers

IDLE: Final = 15.0
"""Seconds after which connections are dropped that nobody has used."""


class Pool:
    """``Links`` for ordinary commands, at most ``settings.connections``; a caller waits for a free one."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._free: list[Links] = []
        self._room = asyncio.Semaphore(servers.settings.connections)
        self._closed = False
        self._trimming: asyncio.TimerHandle | None = None
        self._trims = set[asyncio.Future[None]]()

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
            if self._trimming is None and not self._closed:
                self._trimming = asyncio.get_running_loop().call_later(IDLE, self._trim)

    def _trim(self) -> None:
        """Drop what nobody has used of late."""
        self._trimming = None
        idle = [links for links in self._free if links.is_idle(IDLE)]
        self._free = [links for links in self._free if links not in idle]
        for links in idle:
            closing = asyncio.ensure_future(links.close())
            self._trims.add(closing)
            closing.add_done_callback(self._trims.discard)
        if self._free:
            self._trimming = asyncio.get_running_loop().call_later(IDLE, self._trim)

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
        if self._trimming is not None:
            self._trimming.cancel()
            self._trimming = None
        for closing in list(self._trims):
            await closing
        while self._free:
            await self._free.pop().close()
