"""Promote due jobs while up to a million others are delayed: jobs a second, and CPU of Redis per job."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from statistics import median
from typing import Final, NamedTuple

from streamq import App

from ..draining import check
from ..figures import Curve, Measured, alone
from ..rig import Rig, until
from ..tasks import QUEUE, messages

DAY: Final = 86_400.0
"""Seconds until the others are due: not in this run."""
AHEAD: Final = 1.0
"""Seconds from the last enqueueing to the due time."""
CHUNK: Final = 20_000
PATIENCE: Final = 30.0


class Promotion(NamedTuple):
    """Of one batch: jobs a second from the due time to the last, and microseconds of Redis CPU per job."""

    rate: float
    cpu: float


async def measure(rig: Rig) -> Measured:
    """The others are enqueued step by step, and a batch is promoted at each."""
    parked, seconds = 0, 0.0
    steps, found = dict[int, Promotion](), list[Promotion]()
    async with rig.app() as app, rig.child("scheduler", pinned=True):
        for step in rig.of((0, 10_000, 100_000, 1_000_000), (0, 50_000)):
            seconds += await _park(app, step - parked)
            parked = step
            found = [await _promoted(rig, app, parked) for _ in range(rig.rounds(3))]
            steps[step] = Promotion(*map(median, zip(*found, strict=True)))
            rig.say(f"{parked:,} others: {steps[step].rate:,.0f} jobs/s, {steps[step].cpu:.1f} µs")
    none, most = steps[min(steps)], steps[parked]
    points = [(float(max(1, others)), one.rate) for others, one in steps.items()]
    return [
        alone(f"enqueue {parked:,} delayed jobs", "s", [seconds], note=f"{parked / seconds:,.0f} jobs/s, 100 B"),
        alone(
            f"promotion, {parked:,} others delayed", "jobs/s", [one.rate for one in found],
            note=f"{most.rate / none.rate:.2f} of the rate with 0 others",
        ),
        alone(
            "Redis CPU per promoted job", "µs", [one.cpu for one in found], note=f"{none.cpu:.1f} with 0 others"
        ),
        Curve(
            "promotion by delayed jobs", "other delayed jobs", "jobs/s", {"streamq": points}, log_x=True,
            note="one scheduler; none is drawn as 1",
        ),
    ]  # fmt: skip


async def _park(app: App, jobs: int) -> float:
    """Enqueue jobs that are due in a day; how many seconds it takes."""
    start = time.perf_counter()
    for at in range(0, jobs, CHUNK):
        await app.tasks["count"].enqueue_many(messages(min(CHUNK, jobs - at), at), delay=DAY)
    return time.perf_counter() - start


async def _promoted(rig: Rig, app: App, parked: int) -> Promotion:
    """Promote a batch that is due at one moment. Nobody works, so all of it must wait in the end."""
    jobs, server, queue = rig.of(50_000, 10_000), rig.server, app.queue(QUEUE)
    waiting = (await queue.counts()).waiting
    due = await server.now() + AHEAD + jobs / 10_000
    await app.tasks["count"].enqueue_many(messages(jobs), at=datetime.fromtimestamp(due, UTC))
    await asyncio.sleep(due - AHEAD / 2 - await server.now())
    check((await queue.counts()).delayed, parked + jobs, "are delayed")
    cpu = await server.cpu()
    await asyncio.sleep(due - await server.now())

    async def done() -> bool:
        return (await queue.counts()).delayed <= parked

    await until(done, PATIENCE, every=0.005)
    seconds, spent = await server.now() - due, await server.cpu() - cpu
    check((await queue.counts()).waiting - waiting, jobs, "were promoted")
    return Promotion(jobs / seconds, spent / jobs * 1e6)
