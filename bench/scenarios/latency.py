"""Time from enqueue to the handler's start: one job at a time at an idle worker, and at a fixed rate of arrivals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

from streamq import App

from .. import bare
from ..figures import Figure, Measured, compared, percentile
from ..openloop import latencies, play, poisson
from ..process import Child
from ..rig import Rig, until
from ..tasks import message

PAYLOAD: Final = b"12345"
PAUSE: Final = 0.004
"""Seconds before each single job: all are idle again, and the worker's read blocks. A warm processor would flatter."""
RATE: Final = 200
"""Jobs a second of the figures with fixed arrivals."""


async def measure(rig: Rig) -> Measured:
    """Microseconds."""
    async with rig.app() as app, rig.worker(app, pinned=True) as worker:
        alone = await _one_at_a_time(rig, app, worker)
        async with _open_loop(rig, app, worker) as loop:
            return [*alone, *await _at_a_rate(rig, loop)]


async def _one_at_a_time(rig: Rig, app: App, worker: Child) -> list[Figure]:
    """The bare command and the job take turns."""
    starts, adds, client = list[float](), list[float](), rig.server.client
    for number in range(-20, rig.of(400, 100)):
        add = await _added(client)
        start = await _started(app, worker, number)
        if number >= 0:  # the first ones warm everything up
            adds.append(add)
            starts.append(start)
    await client.delete(bare.STREAM)
    rig.say(f"{median(starts):.0f} µs against {median(adds):.0f} µs")
    tail = percentile(starts, 0.99), percentile(adds, 0.99)
    return [
        Figure(
            "start of a job, median", "µs", median(starts), median(adds), median(starts) / median(adds),
            note="bare is XADD", samples={"streamq": starts, "bare": adds},
        ),
        Figure("start of a job, p99", "µs", *tail, tail[0] / tail[1]),
    ]  # fmt: skip


async def _added(client: Any) -> float:
    """Microseconds of one bare round trip."""
    await asyncio.sleep(PAUSE)
    start = time.monotonic_ns()
    await client.xadd(bare.STREAM, {"p": PAYLOAD})
    return (time.monotonic_ns() - start) / 1e3


async def _started(app: App, worker: Child, number: int) -> float:
    """Microseconds from just before the enqueueing of a job to the start of its handler."""
    await asyncio.sleep(PAUSE)
    start = time.monotonic_ns()
    await app.tasks["stamp"].enqueue(number)
    return ((await worker.stamps(1))[number] - start) / 1e3


Play = Callable[[list[int]], Awaitable[list[float]]]
"""Sends jobs at those times; their latencies."""


def _payload(number: int) -> dict[str, Any]:
    return {"number": number, **message(number).model_dump()}


@asynccontextmanager
async def _open_loop(rig: Rig, app: App, worker: Child) -> AsyncIterator[dict[str, Play]]:
    """Both systems, idle. Each gets arrivals from this process, and a process of its own runs them."""
    task = app.tasks["arrive"]
    await bare.join(rig.server.client)
    async with bare.shared_client(rig.server.url) as client, rig.child("consumer", pinned=True) as consumer:

        async def ours(arrivals: list[int]) -> list[float]:
            due = await play(arrivals, lambda number: task.enqueue(_payload(number)))
            await rig.settled(app)
            return latencies(due, await worker.starts())

        async def empty() -> bool:
            return not await client.xlen(bare.STREAM)

        async def theirs(arrivals: list[int]) -> list[float]:
            due = await play(arrivals, lambda number: bare.enqueue_one(client, _payload(number)))
            await until(empty)
            return latencies(due, await consumer.starts())

        for side in (ours, theirs):  # warms both up: connections are open, the consumer reads
            await side(poisson(RATE, 0.25, seed=0))
        yield {"streamq": ours, "bare": theirs}


async def _at_a_rate(rig: Rig, sides: dict[str, Play]) -> list[Figure]:
    """The percentiles of each round, ours and the bare loop's with the same arrivals."""
    seconds = rig.of(20.0, 2.0) / rig.repeat
    rounds: dict[str, list[list[float]]] = {side: [] for side in sides}
    for seed in range(1, rig.repeat + 1):
        for side, send in sides.items():
            rounds[side].append(await send(poisson(RATE, seconds, seed)))
    figures = []
    for name, share in (("median", 0.5), ("p99", 0.99)):
        ours, theirs = ([percentile(one, share) for one in found] for found in rounds.values())
        rig.say(f"{RATE} jobs/s, {name}: {median(ours):.0f} µs against {median(theirs):.0f} µs")
        said = "from the intended arrival, Poisson"
        figures.append(compared(f"latency at {RATE} jobs/s, {name}", "µs", ours, theirs, note=said))
    figures[0].samples.update(rounds)
    return figures
