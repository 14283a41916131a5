"""Promote due jobs while up to a million others are delayed: jobs a second, and CPU of Redis per job."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from statistics import median
from typing import Final, NamedTuple

from streamq import App

from ..draining import check
from ..figures import Curve, Figure, Limit, Measured
from ..rig import Rig
from ..tasks import QUEUE, message

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
    steps: dict[int, list[Promotion]] = {}
    async with rig.app() as app, rig.child("scheduler", pinned=True):
        for step in rig.of((0, 10_000, 100_000, 1_000_000), (0, 50_000)):
            seconds += await _park(app, step - parked)
            parked = step
            steps[step] = [await _promoted(rig, app, parked) for _ in range(rig.of(min(rig.repeat, 3), 1))]
            rig.say(
                f"{parked:,} others: {_median(steps[step]).rate:,.0f} jobs/s, {_median(steps[step]).cpu:.1f} µs"
            )
    rig.say("removing them")
    await rig.server.clear()
    return [_parking(parked, seconds), *_figures(steps), _curve(steps)]


async def _park(app: App, jobs: int) -> float:
    """Enqueue jobs that are due in a day; how many seconds it takes."""
    start = time.perf_counter()
    for at in range(0, jobs, CHUNK):
        await app.tasks["count"].enqueue_many(
            [message(at + number).model_dump() for number in range(min(CHUNK, jobs - at))], delay=DAY
        )
    return time.perf_counter() - start


async def _promoted(rig: Rig, app: App, parked: int) -> Promotion:
    """Promote a batch that is due at one moment. Nobody works, so all of it must wait in the end."""
    jobs, server, queue = rig.of(50_000, 10_000), rig.server, app.queue(QUEUE)
    waiting = (await queue.counts()).waiting
    due = await _now(rig) + AHEAD + jobs / 10_000
    payloads = [message(number).model_dump() for number in range(jobs)]
    await app.tasks["count"].enqueue_many(payloads, at=datetime.fromtimestamp(due, UTC))
    await asyncio.sleep(due - AHEAD / 2 - await _now(rig))
    check((await queue.counts()).delayed, parked + jobs, "are delayed")
    cpu = await server.cpu()
    await asyncio.sleep(due - await _now(rig))
    async with asyncio.timeout(PATIENCE):
        while (await queue.counts()).delayed > parked:  # noqa: ASYNC110 - it tells only those who ask
            await asyncio.sleep(0.005)
    seconds, spent = await _now(rig) - due, await server.cpu() - cpu
    check((await queue.counts()).waiting - waiting, jobs, "were promoted")
    return Promotion(jobs / seconds, spent / jobs * 1e6)


async def _now(rig: Rig) -> float:
    """The server's time, in seconds since the epoch."""
    seconds, micros = await rig.server.client.time()
    return float(seconds + micros / 1e6)


def _median(batches: list[Promotion]) -> Promotion:
    return Promotion(median(one.rate for one in batches), median(one.cpu for one in batches))


def _parking(jobs: int, seconds: float) -> Figure:
    """The limit is for a million."""
    return Figure(
        f"enqueue {jobs:,} delayed jobs", "s", seconds, aim=Limit("value", "<=", 90 * jobs / 1_000_000),
        note=f"{jobs / seconds:,.0f} jobs/s, validated, 100 B", samples={"streamq": [seconds]},
    )  # fmt: skip


def _figures(steps: dict[int, list[Promotion]]) -> list[Figure]:
    most, none = max(steps), min(steps)
    share = _median(steps[most]).rate / _median(steps[none]).rate
    return [
        Figure(
            f"promotion, {most:,} others delayed", "jobs/s", _median(steps[most]).rate,
            note=f"{share:.2f} of the rate with {none} others",
            samples={"streamq": [one.rate for one in steps[most]]},
        ),
        Figure(
            "Redis CPU per promoted job", "µs", _median(steps[most]).cpu,
            note=f"{_median(steps[none]).cpu:.1f} with {none} others",
            samples={"streamq": [one.cpu for one in steps[most]]},
        ),
    ]  # fmt: skip


def _curve(steps: dict[int, list[Promotion]]) -> Curve:
    points = [(float(max(1, parked)), _median(batches).rate) for parked, batches in steps.items()]
    return Curve(
        "promotion by delayed jobs", "other delayed jobs", "jobs/s", {"streamq": points}, log_x=True,
        note="one scheduler; none is drawn as 1",
    )  # fmt: skip
