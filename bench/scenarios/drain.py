"""Drain no-op jobs by one worker process, against a bare loop of XREADGROUP, XACK and XDEL."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import Final

from .. import bare
from ..figures import Figure, Limit, Measured, compared
from ..rig import Rig
from ..tasks import message

SIDES: Final = ("streamq", "bare, a task each", "bare, no tasks")
Rates = dict[str, dict[int, list[float]]]


async def measure(rig: Rig) -> Measured:
    """Jobs a second from the first to the last, of the best concurrency (ours) and batch size (bare)."""
    sizes = rig.of((100, 500, 1000), (500,))
    rates: Rates = {side: defaultdict(list) for side in SIDES}
    for _ in range(rig.repeat):
        for size in sizes:
            rates[SIDES[0]][size].append(await _ours(rig, size))
            rates[SIDES[1]][size].append(await _bare(rig, size, tasks=True))
            rates[SIDES[2]][size].append(await _bare(rig, size, tasks=False))
            rig.say(f"{size} at once: " + " against ".join(f"{rates[side][size][-1]:,.0f}" for side in SIDES))
    with_tasks = _figure("drain", SIDES[1], rates, Limit("ratio", ">=", 0.5), Limit("ratio", ">=", 0.8))
    return [with_tasks, _figure("drain, bare without tasks", SIDES[2], rates, None, None)]


def _figure(name: str, side: str, rates: Rates, bound: Limit | None, aim: Limit | None) -> Figure:
    ours, theirs = _best(rates[SIDES[0]]), _best(rates[side])
    return compared(
        name, "jobs/s", rates[SIDES[0]][ours], rates[side][theirs], bound=bound, aim=aim,
        note=f"{ours} at once; bare {theirs}",
    )  # fmt: skip


def _best(by_size: dict[int, list[float]]) -> int:
    return max(by_size, key=lambda size: median(by_size[size]))


async def _ours(rig: Rig, concurrency: int) -> float:
    jobs = _jobs(rig)
    async with rig.app() as app:
        await app.tasks["count"].enqueue_many([message(number) for number in range(jobs)])
        async with rig.child("worker", pinned=True, concurrency=concurrency, expected=jobs) as worker:
            said = await worker.told()
            await rig.settled(app)
    await rig.server.clear()
    return float(jobs / said["seconds"])


async def _bare(rig: Rig, batch: int, *, tasks: bool) -> float:
    jobs = _jobs(rig)
    await bare.join(rig.server.client)
    await bare.enqueue(rig.server.client, [message(number).model_dump() for number in range(jobs)])
    async with rig.child("bare", pinned=True, expected=jobs, batch=batch, tasks=tasks) as loop:
        said = await loop.told()
    await rig.server.clear()
    return float(jobs / said["seconds"])


def _jobs(rig: Rig) -> int:
    return rig.of(30_000, 10_000)
