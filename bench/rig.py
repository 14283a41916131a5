"""The rig: what every scenario works with."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from streamq import App, Settings

from .cores import SERVER_CORE, WORKER_CORE, pin
from .process import Child, role
from .server import PREFIX, Server, open_server
from .tasks import QUEUE, declare

K = TypeVar("K")
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

    def rounds(self, most: int = 50) -> int:
        """How many rounds to make where a quick run makes one."""
        return self.of(min(self.repeat, most), 1)

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

        async def registered() -> bool:
            if child.process.returncode is not None:
                await child.told()
            return child.pid in {worker.pid for worker in await app.workers()}

        async with self.child("worker", **config) as child:
            await until(registered)
            yield child

    async def settled(self, app: App, seconds: float = 15.0) -> None:
        """Return when no job is delayed, waits or runs any more. Raises ``TimeoutError``."""

        async def met() -> bool:
            counts = await app.queue(QUEUE).counts()
            return not (counts.waiting or counts.active or counts.delayed)

        await until(met, seconds)


@asynccontextmanager
async def open_rig(
    url: str | None, *, quick: bool, say: Callable[[str], None], repeat: int = 1, messages: Path | None = None
) -> AsyncIterator[Rig]:
    """A rig on the server at ``url``, by default on one of our own, which has a core. Raises ``Refused``."""
    async with open_server(url) as server:
        if server.pid is not None:
            pin(server.pid, SERVER_CORE)
        yield Rig(server, quick, repeat, say, messages)


async def until(met: Callable[[], Awaitable[bool]], seconds: float = 15.0, *, every: float = 0.02) -> None:
    """Ask until it is so; the server tells only those who ask. Raises ``TimeoutError``."""
    async with asyncio.timeout(seconds):
        while not await met():  # noqa: ASYNC110 - there is nobody to set an event
            await asyncio.sleep(every)


async def in_turns(rounds: int, values: Iterable[K], at: Callable[[K], Awaitable[T]]) -> dict[K, list[T]]:
    """What comes out at each of the values in interleaved rounds: the machine's speed drifts, for all alike."""
    found: dict[K, list[T]] = defaultdict(list)
    values = list(values)
    for _ in range(rounds):
        for value in values:
            found[value].append(await at(value))
    return dict(found)
