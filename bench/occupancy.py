"""Bytes of server memory that jobs take: what the server has allocated with them, less what it had without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from streamq import App, Worker

from . import bare
from .rig import Rig, until
from .server import Server
from .tasks import QUEUE

FAR: Final = 3600.0
"""Seconds to the due time of delayed jobs: none is due meanwhile."""
MOST_ACTIVE: Final = 5_000
"""Jobs that run at once at most: each is a task of this process too."""
PATIENCE: Final = 120.0
"""Seconds a worker may take to register, and jobs to reach their state."""
FIRST: Final = 500
"""Jobs that come before those that are counted: a batch, as a producer's record has the ids of its last one."""
LARGEST: Final = 131_072
"""Bytes a payload may have: twice the default, so that sizes spread around a large one fit."""


class Taken(NamedTuple):
    """Bytes per job: of all, and of its payload alone."""

    each: float
    payload: float

    @property
    def beyond(self) -> float:
        """What the payload does not explain."""
        return self.each - self.payload


def text(size: int, number: int) -> str:
    """Text whose JSON form has ``size`` bytes."""
    return f"{number:0{size - 2}d}"


def exact(size: int, jobs: int) -> list[str]:
    """Payloads of ``size`` bytes each."""
    return [text(size, number) for number in range(jobs)]


def spread(size: int, jobs: int) -> list[str]:
    """Sizes from 80 to 120 %, evenly: how an allocator rounds depends on the very byte."""
    return [text(size * 4 // 5 + number * 7919 % (size * 2 // 5 + 1), number) for number in range(jobs)]


async def warm(rig: Rig) -> None:
    """Send some jobs that are not counted: a server allocates some things once, with the first it ever gets."""
    await waiting(rig, exact(100, FIRST))


async def waiting(rig: Rig, payloads: Sequence[str], **options: Any) -> Taken:
    """Jobs that no worker has fetched."""
    async with rig.app(max_payload=LARGEST) as app:
        taken = await _grown(rig.server, payloads, partial(app.tasks["count"].enqueue_many, **options))
    await rig.server.clear()
    return taken


async def active(rig: Rig, payloads: Sequence[str]) -> Taken:
    """Jobs that run, all at once: of the payloads as many as ``MOST_ACTIVE``."""
    payloads = payloads[:MOST_ACTIVE]
    return await _reached(rig, payloads, "dwell", "active", slots=len(payloads) + FIRST)


async def completed(rig: Rig, payloads: Sequence[str]) -> Taken:
    """Jobs that are done, all of them kept."""
    return await _reached(rig, payloads, "count", "completed", slots=500)


async def _reached(rig: Rig, payloads: Sequence[str], task: str, state: str, *, slots: int) -> Taken:
    """Jobs that a worker has brought to a state."""

    async def bring(some: Sequence[str]) -> None:
        goal = getattr(await app.queue(QUEUE).counts(), state) + len(some)
        await app.tasks[task].enqueue_many(some)

        async def there() -> bool:
            return bool(getattr(await app.queue(QUEUE).counts(), state) >= goal)

        await until(there, PATIENCE)

    async with (
        rig.app(max_payload=LARGEST, keep_completed=len(payloads) + FIRST) as app,
        working(app, slots),
    ):
        taken = await _grown(rig.server, payloads, bring)
    await rig.server.clear()
    return taken


async def bare_waiting(rig: Rig, payloads: Sequence[str]) -> Taken:
    """The same payloads by XADD, each the one field of its entry."""
    taken = await _grown(rig.server, payloads, partial(bare.enqueue, rig.server.client))
    await rig.server.clear()
    return taken


async def _grown(
    server: Server, payloads: Sequence[str], add: Callable[[Sequence[str]], Awaitable[object]]
) -> Taken:
    await add(payloads[:FIRST])  # what there is once, however many jobs, is not theirs
    before = await server.memory()
    async with asyncio.timeout(PATIENCE):
        await add(payloads)
    taken, jobs = await server.memory() - before, len(payloads)
    return Taken(taken / jobs, sum(map(len, payloads)) / jobs + 2)


@asynccontextmanager
async def working(app: App, concurrency: int) -> AsyncIterator[None]:
    """A worker in this process: only what the server holds is measured."""

    async def registered() -> bool:
        return bool(await app.workers())

    worker = Worker(app, concurrency=concurrency)
    running = asyncio.create_task(worker.run())
    try:
        await until(registered, PATIENCE)
        yield
    finally:
        worker.stop()
        worker.stop()  # at once: what still runs is of no use any more
        await running


STATES: Final[dict[str, Callable[[Rig, Sequence[str]], Awaitable[Taken]]]] = {
    "waiting": waiting, "delayed": partial(waiting, delay=FAR), "active": active, "completed": completed,
}  # fmt: skip
