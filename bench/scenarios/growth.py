"""Drain and enqueue with 1,000 to 1,000,000 jobs waiting, and drain by 1 to 8 processes.

From 1 to 10,000 groups joins when the engine has groups.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from streamq import App

from .. import bare
from ..cores import WORKER_CORE, pinned
from ..draining import bare_by_many, check, ours_by_many
from ..figures import Curve, Figure, Limit, Measured, alone, medians
from ..rig import Rig
from ..server import PREFIX
from ..tasks import QUEUE, message, messages

CONCURRENCY: Final = 500
CHUNK: Final = 20_000
ENOUGH: Final = 0.9
"""Share of the rate at the smallest level that the largest must reach."""
NAMES: Final = {"drain": "drain", "enqueue": "enqueue many"}


@dataclass
class _Level:
    """A system of its own in which ``waiting`` jobs wait behind those measured, and a bare stream with as many.

    All levels lie on the server at once, so that small and large take turns.
    """

    rig: Rig
    app: App
    prefix: str
    waiting: int
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """``enqueue``, ``drain``, ``bare enqueue`` and ``bare drain`` in jobs a second; ``cpu`` in microseconds."""

    @property
    def stream(self) -> str:
        return f"{bare.STREAM}:{self.waiting}"


async def measure(rig: Rig) -> Measured:
    """Jobs a second of the same number of jobs at each level, ours and the bare loop's."""
    sizes = rig.of((1_000, 10_000, 100_000, 1_000_000), (1_000, 50_000))
    async with AsyncExitStack() as stack:
        levels = [await stack.enter_async_context(_level(rig, size)) for size in sizes]
        for level in levels[1:-1]:
            await _both(level)
        for turn in range(rig.of(rig.repeat + 2, 1)):
            ends = levels[0], levels[-1]  # compared with each other, so they take turns
            for level in ends if turn % 2 else reversed(ends):
                await _both(level)
    rig.say("removing them")
    await rig.server.clear()
    return [*_figures(levels), *_curves(levels), await _over_processes(rig)]


@asynccontextmanager
async def _level(rig: Rig, waiting: int) -> AsyncIterator[_Level]:
    prefix = f"{PREFIX}.{waiting}"
    async with rig.app(prefix=prefix) as app:
        level = _Level(rig, app, prefix, waiting)
        start = time.perf_counter()
        await bare.join(rig.server.client, level.stream)
        for at in range(0, waiting, CHUNK):
            models = [message(number) for number in range(at, min(at + CHUNK, waiting))]
            await app.tasks["book"].enqueue_many(models)
            await bare.enqueue(rig.server.client, [model.model_dump() for model in models], level.stream)
        rig.say(f"{waiting:,} wait, on both sides, after {time.perf_counter() - start:.1f} s")
        yield level


async def _both(level: _Level) -> None:
    await _ours(level)
    await _bare(level)


async def _sent(send: Callable[[], Awaitable[Any]], jobs: int) -> float:
    """Jobs a second into the server, from the worker's core."""
    with pinned(WORKER_CORE):
        start = time.perf_counter()
        await send()
        return jobs / (time.perf_counter() - start)


async def _ours(level: _Level) -> None:
    """Enqueue a batch, drain as many, and fill up to the level again what the worker ran beyond them."""
    rig, jobs, queue, rates = level.rig, _jobs(level.rig), level.app.queue(QUEUE), level.rates
    send = level.app.tasks["book"].enqueue_many
    models = [message(number) for number in range(jobs)]
    rates["enqueue"].append(await _sent(lambda: send(models), jobs))
    check((await queue.counts()).waiting, level.waiting + jobs, "wait")
    cpu = await rig.server.cpu()
    async with rig.child(
        "worker", pinned=True, concurrency=CONCURRENCY, expected=jobs, settings={"prefix": level.prefix}
    ) as worker:
        said = await worker.told()
        ran = (await worker.end())["ran"]
        await worker.process.wait()
    rates["drain"].append(jobs / said["seconds"])
    rates["cpu"].append((await rig.server.cpu() - cpu) / ran * 1e6)
    check((await queue.counts()).waiting + ran, level.waiting + jobs, "ran or wait")
    await send([message(number) for number in range(ran - jobs)])
    rig.say(f"{level.waiting:,} wait: {rates['enqueue'][-1]:,.0f} in, {rates['drain'][-1]:,.0f} jobs/s out")


async def _bare(level: _Level) -> None:
    rig, jobs, client = level.rig, _jobs(level.rig), level.rig.server.client
    plain = messages(jobs)
    level.rates["bare enqueue"].append(await _sent(lambda: bare.enqueue(client, plain, level.stream), jobs))
    async with rig.child("bare", pinned=True, expected=jobs, batch=CONCURRENCY, stream=level.stream) as loop:
        said = await loop.told()
        check((await loop.told())["ran"], jobs)
    check(await client.xlen(level.stream), level.waiting, "wait")
    level.rates["bare drain"].append(jobs / said["seconds"])


def _jobs(rig: Rig) -> int:
    return rig.of(20_000, 10_000)


def _figures(levels: list[_Level]) -> list[Figure]:
    """The rates at the largest level as a share of those at the smallest in the same round."""
    small, large = levels[0], levels[-1]

    def share(rate: str) -> float:
        return median(most / least for most, least in zip(large.rates[rate], small.rates[rate], strict=True))

    figures = [
        Figure(
            f"{name}, {large.waiting:,} waiting", f"of {small.waiting:,}", share(rate), share(f"bare {rate}"),
            aim=Limit("value", ">=", ENOUGH),
            note=f"{median(large.rates[rate]):,.0f} against {median(small.rates[rate]):,.0f} jobs/s",
            samples={
                "streamq": large.rates[rate], "streamq at least": small.rates[rate],
                "bare": large.rates[f"bare {rate}"], "bare at least": small.rates[f"bare {rate}"],
            },
        )
        for rate, name in NAMES.items()
    ]  # fmt: skip
    cpu = alone(  # steadier than a rate where others use the machine too
        f"Redis CPU per drained job, {large.waiting:,} waiting", "µs", large.rates["cpu"],
        note=f"{median(small.rates['cpu']):.1f} with {small.waiting:,}",
    )  # fmt: skip
    cpu.samples["streamq at least"] = small.rates["cpu"]
    return [*figures, cpu]


def _curves(levels: list[_Level]) -> list[Curve]:
    note = f"100 bytes; {CONCURRENCY} slots, bare in batches of as many, a task each"
    return [
        Curve(
            f"{name} by waiting jobs", "waiting jobs", "jobs/s",
            {
                side: medians({level.waiting: level.rates[prefix + rate] for level in levels})
                for side, prefix in (("streamq", ""), ("bare", "bare "))
            },
            log_x=True, note=note,
        )
        for rate, name in NAMES.items()
    ]  # fmt: skip


async def _over_processes(rig: Rig) -> Curve:
    """All begin at the same moment; the server keeps its core, the processes have all of them."""
    series: dict[str, list[tuple[float, float]]] = {"streamq": [], "bare": []}
    jobs = rig.of(60_000, 10_000)
    for processes in rig.of((1, 2, 4, 8), (1, 2)):
        ours = await ours_by_many(rig, jobs, concurrency=CONCURRENCY, processes=processes)
        theirs = await bare_by_many(rig, jobs, batch=CONCURRENCY, processes=processes)
        series["streamq"].append((processes, ours))
        series["bare"].append((processes, theirs))
        rig.say(f"{processes} processes: {ours:,.0f} against {theirs:,.0f} jobs/s")
    return Curve(
        "drain by processes", "worker processes", "jobs/s", series,
        note=f"{os.cpu_count()} cores, one of them the server's: more processes than the others share them",
    )  # fmt: skip
