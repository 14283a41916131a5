"""How late delayed jobs start on an idle system, by the server's clock: never early."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime

from streamq import App

from ..figures import Figure, Limit, Measured, percentile
from ..process import Child
from ..rig import Rig

AHEAD = 1.0
"""Seconds between the enqueueing and the first due time."""


async def measure(rig: Rig) -> Measured:
    """Milliseconds, for 200 at the same moment, 200 spread over two seconds, and 5,000 at once."""
    async with rig.app() as app, rig.worker(app) as worker, rig.child("scheduler"):
        same = [await _late(rig, app, worker, 200, lambda _: 0.0) for _ in range(rig.of(rig.repeat, 1))]
        spread = await _late(rig, app, worker, 200, lambda _: random.uniform(0, 2))  # noqa: S311 - not a secret
        flood = await _late(rig, app, worker, 5_000, lambda _: 0.0)
    await rig.server.clear()
    limit = Limit("value", "<=", 10)
    return [
        _earliest([*same, spread, flood]),
        _p99("200 due at the same moment, p99 late", same, bound=limit),
        _p99("200 due over 2 s, p99 late", [spread], bound=limit),
        _p99("5,000 due at the same moment, p99 late", [flood], aim=Limit("value", "<=", 300)),
    ]


async def _late(rig: Rig, app: App, worker: Child, jobs: int, spread: Callable[[int], float]) -> list[float]:
    """Enqueue jobs, and return how late each started, in milliseconds."""
    clock = await rig.server.clock()
    seconds, micros = await rig.server.client.time()
    base = seconds + micros / 1e6 + AHEAD + jobs / 10_000
    due = {number: int((base + spread(number)) * 1000) / 1000 for number in range(jobs)}
    task = app.tasks["stamp"]
    await asyncio.gather(
        *[task.enqueue(number, at=datetime.fromtimestamp(at, UTC)) for number, at in due.items()]
    )
    starts = await worker.stamps(jobs)
    late = [(clock.at(starts[number]) - at) * 1000 for number, at in due.items()]
    rig.say(f"{jobs} jobs: {min(late):.2f} to {max(late):.2f} ms late")
    return late


def _earliest(rounds: list[list[float]]) -> Figure:
    earliest = [min(late) for late in rounds]
    return Figure(
        "least late of all", "ms", min(earliest), bound=Limit("value", ">=", 0), samples={"streamq": earliest}
    )


def _p99(
    name: str, rounds: list[list[float]], *, bound: Limit | None = None, aim: Limit | None = None
) -> Figure:
    late = [percentile(values, 0.99) for values in rounds]
    return Figure(
        name, "ms", sorted(late)[len(late) // 2], bound=bound, aim=aim,
        note=f"max {max(map(max, rounds)):.1f}", samples={"streamq": rounds},
    )  # fmt: skip
