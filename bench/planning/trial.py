"""A trial: jobs are put in place first, then workers start and run them as fast as they can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import orjson

from streamq import App

from ..process import Child
from ..rig import Rig
from ..tasks import QUEUE

TASK: Final = "act"
LONGEST: Final = 30.0
"""Seconds a trial may take from the start of its workers."""
SOONER: Final = 0.001
"""Seconds of a delay that only puts a job among the delayed: without workers nothing promotes it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out, CPU in microseconds per job, memory in bytes of all jobs, buffers left out."""

    jobs: int
    rate: float
    """Jobs a second while the middle eight tenths ran."""
    enqueue: float
    """The server's CPU for enqueueing."""
    run: float
    """The server's CPU for the rest."""
    worker: float
    """CPU of the only worker; with several it is not known, and NaN."""
    batch: float
    """Jobs that are settled together, on average."""
    stored: int
    """Memory before the workers started."""
    kept: int
    """Memory once all had ended."""


def payloads(sizes: Sequence[int], ms: float = 0.0) -> list[dict[str, Any]]:
    """Payloads of ``act`` whose JSON form has these sizes.

    The handlers await from half to one and a half times ``ms``: equal ones would march in step, as real ones do not.
    """
    found = [{"ms": round(ms * (0.5 + number * 7919 % 1000 / 1000), 2)} for number in range(len(sizes))]
    bare = len(orjson.dumps({"pad": ""})) - 1  # an object around both has one brace less, and a comma more
    return [
        {**one, "pad": "x" * (size - bare - len(orjson.dumps(one)))}
        for one, size in zip(found, sizes, strict=True)
    ]


async def trial(
    rig: Rig, jobs: Sequence[dict[str, Any]], *, slots: int, processes: int = 1, delayed: float = 0.0,
    keep: int = 1000, partitions: int = 1,
) -> Trial:  # fmt: skip
    """Enqueue ``jobs``, of which the share ``delayed`` is parked first, and run them all. Leaves the server clean."""
    later = jobs[: round(len(jobs) * delayed)]
    empty, cpu = await weight(rig), await rig.server.cpu()
    async with rig.app() as app:
        if partitions > 1:
            app.queue(QUEUE, partitions=partitions)
        await app.tasks[TASK].enqueue_many(later, delay=SOONER)
        await app.tasks[TASK].enqueue_many(jobs[len(later) :])
        enqueued, batches = await rig.server.cpu(), await _batches(rig)
    stored = await weight(rig) - empty
    async with rig.app() as app, AsyncExitStack() as stack:
        how: dict[str, Any] = {
            "settings": {"keep_completed": keep},
            "concurrency": slots,
            "expected": len(jobs),
        }
        roles = [rig.child("worker", pinned=True, **how) for _ in range(processes)]
        workers = [await stack.enter_async_context(role) for role in roles]
        rate = await _watched(app, workers, len(jobs))
        worker = (await workers[0].told())["cpu"] if processes == 1 else float("nan")
    ran, batches = await rig.server.cpu(), await _batches(rig) - batches
    await _forget_the_slowest(rig)
    kept = await weight(rig) - empty
    await rig.server.clear()
    each = 1e6 / len(jobs)
    cpu, run = (enqueued - cpu) * each, (ran - enqueued) * each
    return Trial(len(jobs), rate, cpu, run, worker * each, len(jobs) / batches, stored, kept)


async def _watched(app: App, workers: Sequence[Child], jobs: int) -> float:
    """Look on until all have ended; the rate between one tenth and nine tenths. Raises ``Gone``, ``TimeoutError``."""
    loop, seen = asyncio.get_running_loop(), list[tuple[float, int]]()
    async with asyncio.timeout(LONGEST):
        while True:
            counts = await app.queue(QUEUE).counts()
            seen.append((loop.time(), counts.waiting + counts.delayed))
            if seen[-1][1] <= 0 and not counts.active:
                break
            if any(worker.process.returncode is not None for worker in workers):
                await workers[0].told()
            await asyncio.sleep(0.01)
    began = next(look for look in reversed(seen) if look[1] >= 0.9 * jobs)
    ended = next(look for look in seen if look[1] <= 0.1 * jobs)
    return (began[1] - ended[1]) / (ended[0] - began[0])


async def _forget_the_slowest(rig: Rig) -> None:
    """A queue has a hundred of them, however many jobs: they are no part of what a job takes."""
    for client in rig.server.clients:
        async for key in client.scan_iter("*}:slow:*"):
            await client.delete(key)


async def _batches(rig: Rig) -> int:
    """Batches that the server has settled: each acknowledges its entries by one command."""
    return await rig.server.calls("xack")


async def weight(rig: Rig) -> int:
    """Bytes of all, once no connection but our own one holds buffers any more."""
    async with asyncio.timeout(10):
        while await rig.server.connections() > 1:  # noqa: ASYNC110 - it tells only those who ask
            await asyncio.sleep(0.01)
    return await rig.server.memory()
