"""Bytes of server memory that jobs take: what the server has allocated with them, less what it had without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, NamedTuple

from streamq import App, Worker

from . import bare
from .rig import Rig
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
POLL: Final = 0.02
"""Seconds between two looks."""


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


async def waiting(rig: Rig, payloads: Sequence[str]) -> Taken:
    """Jobs that no worker has fetched."""
    async with rig.app(max_payload=LARGEST) as app:
        taken = await _grown(rig.server, payloads, app.tasks["count"].enqueue_many)
    await rig.server.clear()
    return taken


async def delayed(rig: Rig, payloads: Sequence[str]) -> Taken:
    """Jobs that are due in an hour."""
    async with rig.app(max_payload=LARGEST) as app:
        taken = await _grown(rig.server, payloads, partial(app.tasks["count"].enqueue_many, delay=FAR))
    await rig.server.clear()
    return taken


async def active(rig: Rig, payloads: Sequence[str]) -> Taken:
    """Jobs that run, all at once: of the payloads as many as ``MOST_ACTIVE``."""
    payloads = payloads[:MOST_ACTIVE]

    async def start(some: Sequence[str]) -> None:
        goal = (await app.queue(QUEUE).counts()).active + len(some)
        await app.tasks["dwell"].enqueue_many(some)
        while (await app.queue(QUEUE).counts()).active < goal:  # noqa: ASYNC110 - it tells only those who ask
            await asyncio.sleep(POLL)

    async with rig.app(max_payload=LARGEST) as app, _working(app, len(payloads) + FIRST):
        taken = await _grown(rig.server, payloads, start)
    await rig.server.clear()
    return taken


async def completed(rig: Rig, payloads: Sequence[str]) -> Taken:
    """Jobs that are done, all of them kept."""

    async def finish(some: Sequence[str]) -> None:
        goal = (await app.queue(QUEUE).counts()).completed + len(some)
        await app.tasks["count"].enqueue_many(some)
        while (await app.queue(QUEUE).counts()).completed < goal:  # noqa: ASYNC110 - the same
            await asyncio.sleep(POLL)

    async with rig.app(max_payload=LARGEST, keep_completed=len(payloads) + FIRST) as app, _working(app, 500):
        taken = await _grown(rig.server, payloads, finish)
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
async def _working(app: App, concurrency: int) -> AsyncIterator[None]:
    """A worker in this process: only what the server holds is measured."""
    worker = Worker(app, concurrency=concurrency)
    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        try:
            async with asyncio.timeout(PATIENCE):
                while not await app.workers():  # noqa: ASYNC110 - it tells only those who ask
                    await asyncio.sleep(POLL)
            yield
        finally:
            worker.stop()
            worker.stop()  # at once: what still runs is of no use any more


STATES: Final[dict[str, Callable[[Rig, Sequence[str]], Awaitable[Taken]]]] = {
    "waiting": waiting, "delayed": delayed, "active": active, "completed": completed,
}  # fmt: skip
