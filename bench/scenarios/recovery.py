"""Time until all jobs of a worker that was killed with SIGKILL have started again, with default settings."""

from __future__ import annotations

import asyncio
import random
import time

from ..figures import Measured, alone
from ..rig import Rig

WATCHED = 2.0
"""Seconds the other worker is idle before the kill: the system is at rest, as it mostly is."""


async def measure(rig: Rig) -> Measured:
    """Seconds from the kill to the last start, with 500 and with 50 running jobs."""
    found = {jobs: [await _recovered(rig, jobs) for _ in range(rig.rounds(3))] for jobs in (500, 50)}
    return [
        alone(f"{jobs} running jobs start again", "s", rounds, note=f"max {max(rounds):.2f}")
        for jobs, rounds in found.items()
    ]


async def _recovered(rig: Rig, jobs: int) -> float:
    async with rig.app() as app, rig.worker(app, concurrency=jobs) as victim:
        await app.tasks["dwell"].enqueue_many(list(range(jobs)))
        await victim.stamps(jobs)
        async with rig.worker(app, concurrency=jobs) as other:
            # Anywhere between two looks of the reclaimer, as a real loss would be.
            await asyncio.sleep(WATCHED + random.random())  # noqa: S311 - not a secret
            killed = time.monotonic_ns()
            await victim.kill()
            starts = await other.stamps(jobs)
            await other.kill()
    await rig.server.clear()
    seconds = (max(starts.values()) - killed) / 1e9
    rig.say(f"{jobs} jobs: the last started again after {seconds:.2f} s")
    return seconds
