"""How late schedules run: a thousand at one run a second, from the planned time to the moment their job is enqueued."""

from __future__ import annotations

import asyncio
from statistics import median_high
from typing import Any, Final

from streamq import App, State

from ..figures import Figure, Measured, percentile
from ..rig import Rig
from ..tasks import QUEUE

SCHEDULES: Final = 1_000
WAYS: Final[dict[str, dict[str, Any]]] = {
    "intervals": {"every": 1}, "cron lines, all at the same moment": {"cron": "* * * * * *"},
}  # fmt: skip
"""Intervals are spread over the second by their names; cron lines are not."""
WARM: Final = 2.0
"""Seconds in which the scheduler reads the schedules and finds its pace."""


async def measure(rig: Rig) -> Measured:
    """Milliseconds by the server's clock, and what a run costs. Nobody runs the jobs."""
    figures: list[Figure] = []
    async with rig.app() as app:
        for way, when in WAYS.items():
            figures += await _late(rig, app, way, when)
    return figures


async def _late(rig: Rig, app: App, way: str, when: dict[str, Any]) -> list[Figure]:
    names = [f"bench-{number}" for number in range(SCHEDULES)]
    async with rig.child("scheduler"):
        for first in range(0, SCHEDULES, 50):
            await asyncio.gather(
                *[
                    app.schedules.put(name, task="count", payload=1, **when)
                    for name in names[first : first + 50]
                ]
            )
        await asyncio.sleep(WARM)
        begin = await rig.server.now()
        before, seconds = await rig.server.cpu(), rig.of(20.0, 4.0)
        await asyncio.sleep(seconds)
        spent = await rig.server.cpu() - before
        runs = await _runs(app, begin, begin + seconds)
    for first in range(0, SCHEDULES, 50):
        await asyncio.gather(*[app.schedules.remove(name) for name in names[first : first + 50]])
    await rig.server.clear()
    late = [round((born - planned) * 1000) for planned, born in runs]
    rig.say(f"{way}: {len(late)} runs in {seconds:g} s, {min(late)} to {max(late)} ms late")
    expected = SCHEDULES * seconds
    return [
        Figure(
            f"{SCHEDULES:,} {way}, p99 late", "ms", percentile(late, 0.99),
            note=f"median {median_high(late):g}, max {max(late):g}; {SCHEDULES:,} runs a second",
            samples={"streamq": late},
        ),
        Figure(f"{SCHEDULES:,} {way}, runs of those planned", "share", len(late) / expected),
        Figure(f"{SCHEDULES:,} {way}, Redis CPU per run", "µs", spent / len(late) * 1e6),
    ]  # fmt: skip


async def _runs(app: App, begin: float, end: float) -> list[tuple[float, float]]:
    """The planned time of each run in a span, and the moment at which its job was born, in seconds since the epoch."""
    found: list[tuple[float, float]] = []
    cursor: str | None = None
    while True:
        page = await app.queue(QUEUE).jobs(State.WAITING, limit=200, cursor=cursor)
        found += [
            (planned, job.created_at.timestamp())
            for job in page.items
            if job.planned_at and job.created_at and begin <= (planned := job.planned_at.timestamp()) < end
        ]
        if (cursor := page.next) is None:
            return found
