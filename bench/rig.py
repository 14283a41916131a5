"""The rig: what every scenario works with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from streamq import App, Settings

from .cores import WORKER_CORE, pin
from .process import Child, role
from .server import PREFIX, Server
from .tasks import QUEUE, declare

T = TypeVar("T")


@dataclass(frozen=True)
class Rig:
    """A server, how thorough to be, and a way to say how far it is. ``repeat`` is interleaved rounds."""

    server: Server
    quick: bool
    repeat: int
    say: Callable[[str], None]
    messages: Path | None = None
    """The file that the messages of a delivery are from, one a line; None for those of a checkout."""

    def of(self, full: T, quick: T) -> T:
        """The size for this run."""
        return quick if self.quick else full

    def app(self, **settings: Any) -> App:
        """A producer's app on the server, with the tasks; open it with ``async with``."""
        return declare(App(Settings.load(**self._settings(settings))))

    def _settings(self, more: dict[str, Any]) -> dict[str, Any]:
        return {"redis_url": self.server.url, "prefix": PREFIX, **more}

    @asynccontextmanager
    async def child(
        self, name: str, *, pinned: bool = False, settings: dict[str, Any] | None = None, **config: Any
    ) -> AsyncIterator[Child]:
        """A process in one of the roles of ``child``, on the worker's core when ``pinned``."""
        async with role(name, settings=self._settings(settings or {}), **config) as child:
            if pinned:
                pin(child.pid, WORKER_CORE)
            yield child

    @asynccontextmanager
    async def worker(self, app: App, **config: Any) -> AsyncIterator[Child]:
        """A worker in a process of its own; the block begins when it is registered."""
        async with self.child("worker", **config) as child:
            while child.pid not in {worker.pid for worker in await app.workers()}:
                if child.process.returncode is not None:
                    await child.told()
                await asyncio.sleep(0.02)
            yield child

    async def settled(self, app: App) -> None:
        """Return when no job is delayed, waits or runs any more."""
        async with asyncio.timeout(15):
            while (counts := await app.queue(QUEUE).counts()).waiting or counts.active or counts.delayed:  # noqa: ASYNC110 - it tells only those who ask
                await asyncio.sleep(0.02)
