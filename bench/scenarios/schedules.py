"""How late schedules run: a thousand at one run a second, from the planned time to the moment their job is enqueued."""

from __future__ import annotations

import asyncio
from statistics import median_high
from typing import Any, Final

import orjson

from streamq import App

from ..figures import Figure, Measured, percentile
from ..rig import Rig
from ..server import PREFIX
from ..tasks import QUEUE

SCHEDULES: Final = 1_000
WAYS: Final[dict[str, dict[str, Any]]] = {
    "intervals": {"every": 1}, "cron lines, all at the same moment": {"cron": "* * * * * *"},
}  # fmt: skip
"""Intervals are spread over the second by their names; cron lines are not."""
WARM: Final = 2.0
"""Seconds in which the scheduler reads the schedules and finds its pace."""
LANE: Final = f"{PREFIX}:{{{QUEUE}}}:ready"


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
        await rig.server.client.delete(LANE)
        before, seconds = await rig.server.cpu(), rig.of(20.0, 4.0)
        await asyncio.sleep(seconds)
        spent = await rig.server.cpu() - before
        entries: list[Any] = await rig.server.client.xrange(LANE) or []
    for first in range(0, SCHEDULES, 50):
        await asyncio.gather(*[app.schedules.remove(name) for name in names[first : first + 50]])
    await rig.server.client.delete(LANE)
    late = [_lateness(entry, fields) for entry, fields in entries]
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


def _lateness(entry: bytes, fields: dict[bytes, bytes]) -> int:
    """Milliseconds from the planned time, which is in the job's headers, to its birth, which is its id."""
    planned: int = orjson.loads(fields[b"headers"])["planned"]
    return int(entry.partition(b"-")[0]) - planned
