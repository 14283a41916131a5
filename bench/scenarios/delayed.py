"""How late delayed jobs start on an idle system, by the server's clock: never early."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from itertools import chain
from statistics import median_high
from typing import Final

from streamq import App

from ..draining import check
from ..figures import Curve, Figure, Measured, medians, percentile
from ..process import Child
from ..rig import Rig

AHEAD: Final = 1.0
"""Seconds between the enqueueing and the first due time."""
FEW: Final = 200
MANY: Final = 5_000

Late = list[float]
"""Milliseconds from each job's due time to its start."""


async def measure(rig: Rig) -> Measured:
    """Milliseconds, for some jobs at the same moment, and for 200 spread over two seconds."""
    same: dict[int, list[Late]] = {}
    async with rig.app() as app, rig.worker(app) as worker, rig.child("scheduler"):
        for jobs in rig.of((50, 200, 1_000, 5_000, 10_000), (200, 5_000)):
            rounds = rig.of(rig.repeat, 3) if jobs == FEW else rig.of(2, 1)
            same[jobs] = [await _late(rig, app, worker, jobs) for _ in range(rounds)]
        spread = await _late(rig, app, worker, FEW, over=2.0)
    earliest = [min(late) for late in (*chain.from_iterable(same.values()), spread)]
    series = {
        name: medians({jobs: [percentile(late, share) for late in rounds] for jobs, rounds in same.items()})
        for name, share in (("p50", 0.5), ("p99", 0.99))
    }
    return [
        Figure("least late of all", "ms", min(earliest), samples={"streamq": earliest}),
        _p99(f"{FEW} due at the same moment, p99 late", same[FEW]),
        _p99(f"{FEW} due over 2 s, p99 late", [spread]),
        _p99(f"{MANY:,} due at the same moment, p99 late", same[MANY]),
        Curve(
            "lateness by delayed jobs", "jobs due at the same moment", "ms from the due time to the start", series,
            log_x=True, log_y=True, note="one scheduler, one idle worker of 100 slots",
        ),
    ]  # fmt: skip


async def _late(rig: Rig, app: App, worker: Child, jobs: int, *, over: float = 0.0) -> Late:
    """Enqueue jobs due ``over`` some seconds, and return how late each started, in milliseconds."""
    clock = await rig.server.clock()
    base = await rig.server.now() + AHEAD + jobs / 10_000
    due = {number: int((base + random.uniform(0, over)) * 1000) / 1000 for number in range(jobs)}  # noqa: S311 - not a secret
    task = app.tasks["arrive"]
    await asyncio.gather(
        *[task.enqueue({"number": number}, at=datetime.fromtimestamp(at, UTC)) for number, at in due.items()]
    )
    await asyncio.sleep(max(due.values()) + AHEAD / 4 - clock.at(time.monotonic_ns()))  # disturb nobody
    await rig.settled(app)
    starts = await worker.starts()
    check(len(starts), jobs)
    late = [(clock.at(starts[number]) - at) * 1000 for number, at in due.items()]
    rig.say(f"{jobs} jobs: {min(late):.2f} to {max(late):.2f} ms late")
    return late


def _p99(name: str, rounds: list[Late]) -> Figure:
    late = median_high(percentile(values, 0.99) for values in rounds)
    return Figure(name, "ms", late, note=f"max {max(map(max, rounds)):.1f}", samples={"streamq": rounds})
