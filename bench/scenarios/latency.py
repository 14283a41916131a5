"""Time from enqueue to the handler's start at an idle worker, against one bare round trip."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from streamq import App

from .. import bare
from ..figures import Figure, Limit, Measured, percentile
from ..process import Child
from ..rig import Rig

PAYLOAD = b"12345"

PAUSE = 0.004
"""Seconds before each: everybody is idle again, and the worker's read blocks. A warm processor would flatter."""


async def measure(rig: Rig) -> Measured:
    """Microseconds, one job at a time; the bare command and the job take turns."""
    jobs = rig.of(800, 200)
    starts, pings, adds = [], [], []
    async with rig.app() as app, rig.worker(app) as worker:
        for number in range(-20, jobs):
            ping = await _timed(rig.server.client.ping)
            add = await _timed(lambda: rig.server.client.xadd(bare.STREAM, {"p": PAYLOAD}))
            start = await _started(app, worker, number)
            if number >= 0:  # the first ones warm everything up
                pings.append(ping)
                adds.append(add)
                starts.append(start)
    await rig.server.clear()
    rig.say(f"{median(starts):.0f} µs against {median(adds):.0f} µs")
    return _figures(starts, adds, pings)


def _figures(starts: list[float], adds: list[float], pings: list[float]) -> list[Figure]:
    tail = percentile(starts, 0.99), percentile(adds, 0.99)
    return [
        Figure(
            "start of a job, median", "µs", median(starts), median(adds), median(starts) / median(adds),
            Limit("ratio", "<=", 3), note=f"bare is XADD; PING {median(pings):.0f} µs",
            samples={"streamq": starts, "bare": adds, "ping": pings},
        ),
        Figure("start of a job, p99", "µs", tail[0], tail[1], tail[0] / tail[1]),
    ]  # fmt: skip


async def _timed(command: Callable[[], Awaitable[Any]]) -> float:
    """Microseconds of one bare round trip."""
    await asyncio.sleep(PAUSE)
    start = time.monotonic_ns()
    await command()
    return (time.monotonic_ns() - start) / 1e3


async def _started(app: App, worker: Child, number: int) -> float:
    """Microseconds from just before the enqueueing of a job to the start of its handler."""
    await asyncio.sleep(PAUSE)
    start = time.monotonic_ns()
    await app.tasks["stamp"].enqueue(number)
    return ((await worker.stamps(1))[number] - start) / 1e3
