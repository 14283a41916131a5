"""Time from enqueue to the handler's start: one job at a time at an idle worker, and at fixed rates of arrivals."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from redis.asyncio import Redis

from streamq import App

from .. import bare
from ..figures import Curve, Figure, Measured, Points, compared, percentile
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
            steady = await _at_a_rate(rig, loop)
            curve = await _over_rates(rig, loop)
    return [*alone, *steady, curve]


async def _one_at_a_time(rig: Rig, app: App, worker: Child) -> list[Figure]:
    """The bare command and the job take turns."""
    starts, pings, adds = list[float](), list[float](), list[float]()
    client = rig.server.client
    for number in range(-20, rig.of(400, 100)):
        ping = await _timed(client.ping)
        add = await _timed(lambda: client.xadd(bare.STREAM, {"p": PAYLOAD}))
        start = await _started(app, worker, number)
        if number >= 0:  # the first ones warm everything up
            pings.append(ping)
            adds.append(add)
            starts.append(start)
    await client.delete(bare.STREAM)
    rig.say(f"{median(starts):.0f} µs against {median(adds):.0f} µs")
    tail = percentile(starts, 0.99), percentile(adds, 0.99)
    return [
        Figure(
            "start of a job, median", "µs", median(starts), median(adds), median(starts) / median(adds),
            note=f"bare is XADD; PING {median(pings):.0f} µs",
            samples={"streamq": starts, "bare": adds, "ping": pings},
        ),
        Figure("start of a job, p99", "µs", *tail, tail[0] / tail[1]),
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


@dataclass(frozen=True)
class _OpenLoop:
    """Both systems, idle. Each gets the same arrivals from this process, and a process of its own runs them."""

    rig: Rig
    app: App
    worker: Child
    client: Redis
    consumer: Child

    async def both(self, rate: float, seconds: float, seed: int) -> dict[str, list[float]]:
        """Latencies of ours and of the bare loop, one after the other."""
        arrivals = poisson(rate, seconds, seed)
        return {"streamq": await self._ours(arrivals), "bare": await self._bare(arrivals)}

    async def _ours(self, arrivals: list[int]) -> list[float]:
        task = self.app.tasks["arrive"]
        due = await play(arrivals, lambda number: task.enqueue(_payload(number)))
        await self.rig.settled(self.app)
        return latencies(due, await self.worker.starts())

    async def _bare(self, arrivals: list[int]) -> list[float]:
        async def empty() -> bool:
            return not await self.client.xlen(bare.STREAM)

        due = await play(arrivals, lambda number: bare.enqueue_one(self.client, _payload(number)))
        await until(empty)
        return latencies(due, await self.consumer.starts())


def _payload(number: int) -> dict[str, Any]:
    return {"number": number, **message(number).model_dump()}


@asynccontextmanager
async def _open_loop(rig: Rig, app: App, worker: Child) -> AsyncIterator[_OpenLoop]:
    await bare.join(rig.server.client)
    async with bare.shared_client(rig.server.url) as client, rig.child("consumer", pinned=True) as consumer:
        loop = _OpenLoop(rig, app, worker, client, consumer)
        await loop.both(RATE, 0.25, seed=0)  # warms both up: connections are open, the consumer reads
        yield loop


async def _at_a_rate(rig: Rig, loop: _OpenLoop) -> list[Figure]:
    """The percentiles of each round, ours and the bare loop's with the same arrivals."""
    seconds = rig.of(20.0, 2.0) / rig.repeat
    rounds = [await loop.both(RATE, seconds, seed) for seed in range(1, rig.repeat + 1)]
    figures = []
    for name, share in (("median", 0.5), ("p99", 0.99)):
        ours, theirs = ([percentile(one[side], share) for one in rounds] for side in rounds[0])
        rig.say(f"{RATE} jobs/s, {name}: {median(ours):.0f} µs against {median(theirs):.0f} µs")
        said = "from the intended arrival, Poisson"
        figures.append(compared(f"latency at {RATE} jobs/s, {name}", "µs", ours, theirs, note=said))
    figures[0].samples.update({side: [one[side] for one in rounds] for side in rounds[0]})
    return figures


async def _over_rates(rig: Rig, loop: _OpenLoop) -> Curve:
    shares = {"p50": 0.5, "p99": 0.99}
    series: dict[str, Points] = {f"{side} {name}": [] for side in ("streamq", "bare") for name in shares}
    for rate in rig.of((100, 500, 1000, 5000), (1000,)):
        for side, values in (await loop.both(rate, rig.of(1.0, 0.5), seed=rate)).items():
            for name, share in shares.items():
                series[f"{side} {name}"].append((rate, percentile(values, share)))
        ours, theirs = (series[f"{side} p50"][-1][1] for side in ("streamq", "bare"))
        rig.say(f"{rate} jobs/s: p50 {ours:.0f} µs against {theirs:.0f} µs")
    return Curve(
        "latency by rate", "jobs/s that arrive", "µs from the intended arrival to the start", series,
        log_x=True, log_y=True, note="Poisson arrivals from one process, one worker process of 100 slots",
    )  # fmt: skip
