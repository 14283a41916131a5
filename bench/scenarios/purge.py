"""Purge of 1,000,000 waiting jobs: the server's worst command meanwhile, and the latency of another queue beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from streamq import App, Operation

from ..figures import Figure, Measured, percentile
from ..openloop import latencies, play, poisson
from ..process import Child
from ..rig import Rig
from ..tasks import message, messages

HEAP: Final = "heap"
"""The queue that is purged; the other is the bench's own."""
CHUNK: Final = 20_000
RATE: Final = 200
"""Jobs a second on the other queue."""
NOTED: Final = 100
"""Microseconds from which on the server's slow log notes a command."""


async def measure(rig: Rig) -> Measured:
    """The same arrivals come before the purge and in its midst."""
    jobs = rig.of(1_000_000, 50_000)
    async with rig.app() as app, rig.worker(app, pinned=True) as worker, rig.child("scheduler"):
        await fill(app, jobs)
        rig.say(f"{jobs:,} jobs wait")
        before = [await beside(rig, app, worker, seed) for seed in SEEDS]
        async with slow_log(rig) as worst:
            purge = await app.queue(HEAP).purge(["waiting"])
            begin = time.monotonic()
            ending = asyncio.create_task(purge.wait())
            meanwhile = [await beside(rig, app, worker, seed) for seed in SEEDS]
            still = await _still_runs(purge)
            record = await ending
            seconds = time.monotonic() - begin
        rig.say(f"{record.done:,} purged in {seconds:.1f} s")
    ours, theirs = (percentile([each for one in part for each in one], 0.99) for part in (meanwhile, before))
    said = f"Poisson, {RATE} a second; bare is without a purge" + ("" if still else "; the purge ended first")
    return [
        Figure(f"purge of {jobs:,} waiting jobs", "jobs/s", record.done / seconds),
        Figure(
            "worst command meanwhile", "ms", max(worst, default=0) / 1000, note="by the server's slow log"
        ),
        Figure("latency of another queue meanwhile, p99", "µs", ours, theirs, ours / theirs, said),
    ]


SEEDS: Final = range(1, 4)
"""Of the arrivals on the other queue."""


async def fill(app: App, jobs: int) -> None:
    """So many jobs of a task wait that no worker is asked for."""
    for at in range(0, jobs, CHUNK):
        await app.enqueue_many(HEAP, "count", messages(min(CHUNK, jobs - at), at))


async def beside(rig: Rig, app: App, worker: Child, seed: int) -> list[float]:
    """The latencies of jobs on the other queue."""
    task = app.tasks["arrive"]

    def payload(number: int) -> dict[str, Any]:
        return {"number": number, **message(number).model_dump()}

    due = await play(poisson(RATE, rig.of(3.0, 0.5), seed), lambda number: task.enqueue(payload(number)))
    await rig.settled(app)
    return latencies(due, await worker.starts())


async def _still_runs(purge: Operation) -> bool:
    return (await purge.status()).state == "running"


@asynccontextmanager
async def slow_log(rig: Rig) -> AsyncIterator[list[int]]:
    """The durations in µs, after the block, of what the server noted in it: all but our own reading of it."""
    client, found = rig.server.client, list[int]()
    async with rig.server.configured({"slowlog-log-slower-than": NOTED, "slowlog-max-len": 100_000}):
        await client.slowlog_reset()
        yield found
        for entry in await client.slowlog_get(100_000):
            found.append(int(entry["duration"]))
