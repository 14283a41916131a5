"""Cancel, retry and delete 1,000,000 jobs by a filter: jobs a second, and the latency of another queue beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from streamq import App, Operation, Queue

from ..figures import Figure, Measured, percentile
from ..process import Child
from ..rig import Rig
from .purge import HEAP, RATE, SEEDS, beside, fill, slow_log

KEPT: Final = {"keep_failed": 2_000_000}
"""So many records of cancelled jobs are kept that all of them are."""
_Begin = Callable[[Queue], Awaitable[Operation]]
_ACTS: Final[dict[str, _Begin]] = {
    "cancel": lambda queue: queue.cancel_all("task:count"),
    "retry": lambda queue: queue.retry_all("state:cancelled task:count"),
    "cancel again": lambda queue: queue.cancel_all("state:waiting"),
    "delete": lambda queue: queue.delete_all("state:cancelled task:count"),
}
"""What is done with all of them, one after the other; by the task, so that each job is read."""


async def measure(rig: Rig) -> Measured:
    """The same arrivals come before and in the midst of each operation."""
    jobs = rig.of(1_000_000, 20_000)
    async with (
        rig.app(**KEPT) as app,
        rig.worker(app, pinned=True, settings=KEPT) as worker,
        rig.child("scheduler", settings=KEPT),
    ):
        await fill(app, jobs)
        rig.say(f"{jobs:,} jobs wait")
        before = [await beside(rig, app, worker, seed) for seed in SEEDS]
        theirs = percentile([each for one in before for each in one], 0.99)
        figures = []
        async with slow_log(rig) as worst:
            for name, begin in _ACTS.items():
                figures += await _act(rig, app, worker, name, begin, theirs)
    slowest = Figure(
        "worst command meanwhile", "ms", max(worst, default=0) / 1000, note="by the server's slow log"
    )
    return [*figures, slowest]


async def _act(rig: Rig, app: App, worker: Child, name: str, begin: _Begin, theirs: float) -> list[Figure]:
    operation = await begin(app.queue(HEAP))
    ending = asyncio.create_task(operation.wait())
    meanwhile = [each for seed in SEEDS for each in await beside(rig, app, worker, seed)]
    record = await ending
    assert record.created_at is not None  # noqa: S101  # every operation has begun
    assert record.ended_at is not None  # noqa: S101  # it is awaited
    seconds = (record.ended_at - record.created_at).total_seconds()
    rig.say(f"{name}: {record.done:,} in {seconds:.1f} s")
    ours = percentile(meanwhile, 0.99)
    said = f"Poisson, {RATE} a second; bare is without an operation"
    return [
        Figure(f"{name} {record.done:,} jobs by filter", "jobs/s", record.done / seconds),
        Figure(f"latency of another queue during {name}, p99", "µs", ours, theirs, ours / theirs, said),
    ]
