"""Resident memory of a worker, a scheduler and `streamq up` over 10 minutes at 200 jobs a second: does it grow?"""

from __future__ import annotations

import asyncio
from functools import partial
from statistics import mean
from typing import Final

import aiohttp

from streamq import App

from ..figures import Curve, Figure, Measured, Points
from ..openloop import play, poisson
from ..process import SERVED, resident, serving
from ..rig import Rig
from ..tasks import QUEUE, message

RATE: Final = 200
"""Jobs a second, to the worker and to `streamq up` each."""
LATER: Final = 10
"""Every tenth job is delayed, by a second: it passes through the scheduler."""


async def measure(rig: Rig) -> Measured:
    """Megabytes every few seconds while both loads go on; what counts is the growth over the second half."""
    async with (
        rig.app() as app, rig.worker(app) as worker, rig.child("scheduler") as scheduler,
        serving("up", SERVED) as (whole, url), aiohttp.ClientSession(url) as session, asyncio.TaskGroup() as group,
    ):  # fmt: skip
        seconds = rig.of(600.0, 7.0)
        for send in (partial(_enqueue, app), partial(_post, session)):
            group.create_task(play(poisson(RATE, seconds, seed=1), send))
        pids = {"worker": worker.pid, "scheduler": scheduler.pid, "streamq up": whole.pid}
        sizes = await _watched(rig, pids, seconds)
    note = f"each gets {RATE} jobs/s"
    return [
        *(_growth(name, points) for name, points in sizes.items()),
        Curve("memory under a steady load", "s", "MB resident", sizes, note=note),
    ]


async def _watched(rig: Rig, pids: dict[str, int], seconds: float) -> dict[str, Points]:
    """Megabytes of each by the second."""
    sizes: dict[str, Points] = {name: [] for name in pids}
    start = asyncio.get_running_loop().time()
    while (now := asyncio.get_running_loop().time() - start) < seconds:
        for name, pid in pids.items():
            sizes[name].append((now, await resident(pid) / 1e6))
        told = ", ".join(f"{name} {points[-1][1]:.1f} MB" for name, points in sizes.items())
        rig.say(f"{now:.0f} of {seconds:.0f} s: {told}")
        await asyncio.sleep(rig.of(5.0, 0.5))
    return sizes


async def _enqueue(app: App, number: int) -> None:
    await app.tasks["book"].enqueue(message(number), delay=None if number % LATER else 1.0)


async def _post(session: aiohttp.ClientSession, number: int) -> None:
    body = {"task": "book", "payload": message(number).model_dump(), "delay": None if number % LATER else 1.0}
    async with session.post(f"/api/v1/queues/{QUEUE}/jobs", json=body, raise_for_status=True) as response:
        await response.read()


def _growth(name: str, points: Points) -> Figure:
    """From the beginning of the second half to its end, a fifth of it averaged at both."""
    half = [size for _, size in points[len(points) // 2 :]]
    fifth = max(1, len(half) // 5)
    return Figure(
        f"memory of {name}, growth over half the time", "MB", mean(half[-fifth:]) - mean(half[:fifth]),
        note=f"{half[-1]:.1f} MB after {points[-1][0]:.0f} s",
        samples={"streamq": [size for _, size in points]},
    )  # fmt: skip
