"""Time from enqueue to the handler's start at an idle worker, against one bare round trip."""

from __future__ import annotations

import asyncio
import time
from statistics import median

import orjson

from .. import bare
from ..figures import Figure, Limit, percentile
from ..rig import Rig

PAUSE = 0.005
"""Seconds between two jobs: the worker is idle again, and its read blocks."""


async def measure(rig: Rig) -> list[Figure]:
    """Microseconds, one job at a time."""
    jobs = rig.of(1000, 200)
    starts, pings, adds = [], [], []
    async with rig.app() as app, rig.worker(app) as worker:
        for number in range(-20, jobs):
            await asyncio.sleep(PAUSE)
            ping, add = await _bare(rig, number)
            begun = time.monotonic_ns()
            await app.tasks["stamp"].enqueue(number)
            at = (await worker.stamps(1))[number]
            if number >= 0:  # the first ones warm everything up
                starts.append((at - begun) / 1e3)
                pings.append(ping)
                adds.append(add)
    await rig.server.clear()
    rig.say(f"{median(starts):.0f} µs against {median(adds):.0f} µs")
    ratio, note = median(starts) / median(adds), f"bare is XADD; PING {median(pings):.0f} µs"
    samples = {"streamq": starts, "bare": adds, "ping": pings}
    tail = percentile(starts, 0.99), percentile(adds, 0.99)
    return [
        Figure(
            "start of a job, median", "µs", median(starts), median(adds), ratio,
            Limit("ratio", "<=", 3), note=note, samples=samples,
        ),
        Figure("start of a job, p99", "µs", tail[0], tail[1], tail[0] / tail[1]),
    ]  # fmt: skip


async def _bare(rig: Rig, number: int) -> tuple[float, float]:
    """Microseconds of a PING and of an XADD."""
    client = rig.server.client
    start = time.monotonic_ns()
    await client.ping()
    middle = time.monotonic_ns()
    await client.xadd(bare.STREAM, {"p": orjson.dumps(number)})
    return (middle - start) / 1e3, (time.monotonic_ns() - middle) / 1e3
