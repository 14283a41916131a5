"""Immediate and delayed jobs, retries and failures in one run: the rate, and whether each ended exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import Final

from bench.figures import Figure, Measured
from bench.process import Child
from bench.rig import Rig, until
from bench.tasks import QUEUE, Errand
from streamq import App, State

DELAYS: Final = (0.0, 0.0, 0.0, 0.0, 0.5, 1.0)
"""Seconds: jobs are dealt to these in turn, so a third is delayed."""
PATIENCE: Final = 30.0
"""Seconds all may take."""


async def measure(rig: Rig) -> Measured:
    """A worker of 200 slots that also promotes; from the first enqueueing to the last end."""
    errands = [_errand(number) for number in range(rig.of(30_000, 4_000))]
    settings = {"keep_completed": len(errands), "keep_failed": len(errands)}
    async with rig.app(**settings) as app:
        async with rig.worker(app, concurrency=200, settings=settings, pinned=True) as worker:
            hearing = asyncio.create_task(_runs(worker))
            start = time.monotonic()
            ids = await _enqueue(app, errands)
            await _ended(app, len(errands))
            seconds = time.monotonic() - start
        wrong = _wrong(errands, ids, await _records(app), await hearing)
    rig.say(f"{len(errands):,} jobs in {seconds:.2f} s")
    note = f"{len(errands):,} jobs; a third delayed, 10 % fail once, 2 % for good"
    return [
        Figure("mixed load", "jobs/s", len(errands) / seconds, note=note),
        *(Figure(name, "", count) for name, count in wrong.items()),
    ]


def _errand(number: int) -> Errand:
    """One in ten fails once, one in fifty for good."""
    return Errand(
        number=number, fate="retry" if number % 10 == 3 else "fail" if number % 50 == 7 else "complete"
    )


async def _enqueue(app: App, errands: list[Errand]) -> dict[int, str]:
    """The id of each job by its number."""
    ids: dict[int, str] = {}
    for nth, delay in enumerate(DELAYS):
        share = errands[nth :: len(DELAYS)]
        jobs = await app.tasks["run"].enqueue_many(share, delay=delay or None)
        ids |= {errand.number: job.id for errand, job in zip(share, jobs, strict=True)}
    return ids


async def _runs(worker: Child) -> Counter[int]:
    """How often each job was started, once the worker has ended."""
    return Counter([said["number"] async for said in worker.reports() if "number" in said])


async def _ended(app: App, jobs: int) -> None:
    """Return when as many are finished; after some patience also with fewer: the figures say so."""

    async def met() -> bool:
        counts = await app.queue(QUEUE).counts()
        return counts.completed + counts.failed >= jobs

    with contextlib.suppress(TimeoutError):
        await until(met, PATIENCE)


async def _records(app: App) -> Counter[tuple[str, State]]:
    """How often each job is in each final state."""
    found: Counter[tuple[str, State]] = Counter()
    for state in (State.COMPLETED, State.FAILED):
        cursor: str | None = None
        while True:
            page = await app.queue(QUEUE).jobs(state, limit=200, cursor=cursor)
            found.update((job.id, state) for job in page.items)
            if (cursor := page.next) is None:
                break
    return found


def _wrong(
    errands: list[Errand], ids: dict[int, str], records: Counter[tuple[str, State]], runs: Counter[int]
) -> dict[str, int]:
    """Breaches by what should not be."""
    ends = Counter(
        {(ids[e.number], State.FAILED if e.fate == "fail" else State.COMPLETED): 1 for e in errands}
    )
    starts = Counter({e.number: 2 if e.fate == "retry" else 1 for e in errands})
    return {
        "jobs that did not end": (ends - records).total(),
        "ends too many": (records - ends).total(),
        "starts too few": (starts - runs).total(),
        "starts too many": (runs - starts).total(),
    }
