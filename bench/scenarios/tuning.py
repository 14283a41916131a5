"""What each knob does: concurrency, retention, processes, uvloop, stream nodes, the append-only file, maxmemory."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from statistics import median
from typing import Any, Final, NamedTuple, TypeVar

from streamq import App, OutOfMemory

from ..figures import Curve, Figure, Limit, Measured
from ..occupancy import spread, waiting
from ..rig import Rig
from ..tasks import QUEUE, message

T = TypeVar("T")
SLOTS: Final = 500
"""Of a worker, where concurrency is not the knob."""
LOOPS: Final = ("uvloop", "asyncio")
WAIT: Final = 10
"""Milliseconds that a waiting handler awaits."""
COMPUTED: Final = 200
"""Microseconds of the processor that a computing handler takes."""
PATIENCE: Final = 30.0
"""Seconds that running and waiting jobs may take to end."""


class Drain(NamedTuple):
    """Jobs a second into the server and out of it, and microseconds of CPU per job, of the server and of the worker."""

    enqueue: float
    drain: float
    redis: float
    worker: float


async def measure(rig: Rig) -> Measured:
    """One knob after the other. Those of the server are turned only on a server of our own."""
    found: list[Figure | Curve] = []
    for knob in WORKER_KNOBS if rig.server.lent else (*WORKER_KNOBS, *SERVER_KNOBS):
        rig.say((knob.__doc__ or "").strip())
        found += await knob(rig)
    if rig.server.lent:
        note = "not measured: the configuration of a server that was lent is left as it is"
        found.append(Figure("stream nodes, append-only file, maxmemory", "", math.nan, note=note))
    return found


# -- the worker's knobs -----------------------------------------------------------------------------------------


async def _concurrency(rig: Rig) -> Measured:
    """Concurrency. With no-op handlers a slot is busy while its outcome is written; with others, while they wait."""
    slots = rig.of((1, 10, 100, 500, 2_000), (10, 500))
    most = rig.of(20_000, 5_000)

    async def rate(task: str, jobs: int, concurrency: int) -> float:
        payloads: list[Any] = [WAIT] * jobs if task == "wait" else _messages(jobs)
        return (await _drained(rig, payloads, task=task, concurrency=concurrency)).drain

    nothing = await _by(rig, slots, lambda n: rate("count", min(most, n * 1_000), n))
    waits = await _by(
        rig, slots[-1:] if rig.quick else slots, lambda n: rate("wait", min(most, n * 100), n), 1
    )
    series = {"handlers do nothing": _points(nothing), f"handlers wait {WAIT} ms": _points(waits)}
    return [Curve("concurrency", "jobs at once", "jobs/s", series, log_x=True, log_y=True)]


async def _retention(rig: Rig) -> Measured:
    """Retention. More jobs than are kept, so that the oldest record goes when a new one comes."""
    jobs = _messages(rig.of(120_000, 8_000))
    kept = rig.of((0, 1_000, 100_000), (0, 1_000))
    found = await _by(rig, kept, lambda n: _drained(rig, jobs, settings={"keep_completed": n}))
    rate, cpu = _part(found, "drain"), _part(found, "redis")
    return [
        Curve("retention: drain", "completed jobs kept", "jobs/s", {"drain": rate}),
        Curve(
            "retention: Redis CPU", "completed jobs kept", "µs per job", {"enqueue to finished record": cpu}
        ),
    ]


async def _processes(rig: Rig) -> Measured:
    """Processes, with handlers that compute: one process has one core."""
    jobs = rig.of(6_000, 1_500)
    found = await _by(rig, rig.of((1, 2, 4), (2,)), lambda n: _computed(rig, jobs, n), 1)
    return [
        Curve("processes", "worker processes", "jobs/s", {f"handlers compute {COMPUTED} µs": _points(found)})
    ]


async def _computed(rig: Rig, jobs: int, processes: int) -> float:
    """Jobs a second from the first enqueueing to the last end."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(rig.app())
        for _ in range(processes):
            await stack.enter_async_context(rig.child("worker", concurrency=50))
        while len(await app.workers()) < processes:  # noqa: ASYNC110 - they tell only those who ask
            await asyncio.sleep(0.02)
        start = time.perf_counter()
        await app.tasks["compute"].enqueue_many([COMPUTED] * jobs)
        await rig.settled(app)
        rate = jobs / (time.perf_counter() - start)
    await rig.server.clear()
    return rate


async def _loop(rig: Rig) -> Measured:
    """The event loop under the worker: uvloop, as `streamq worker` has it, or asyncio's own."""
    jobs = _messages(rig.of(20_000, 5_000))
    found = await _by(rig, LOOPS, lambda name: _drained(rig, jobs, uvloop=name == "uvloop"))
    return [
        _compared(f"{label}, {name}", unit, found, name, part, of="uvloop")
        for label, unit, part in (("drain", "jobs/s", "drain"), ("worker CPU per job", "µs", "worker"))
        for name in LOOPS
    ]


# -- the server's knobs -----------------------------------------------------------------------------------------


async def _stream_nodes(rig: Rig) -> Measured:
    """Stream nodes: how many bytes of entries the server packs together."""
    jobs = rig.of(20_000, 5_000)

    async def at(size: int) -> tuple[float, Drain]:
        async with rig.server.configured({"stream-node-max-bytes": size}):
            return (await waiting(rig, spread(100, jobs))).each, await _drained(rig, _messages(jobs))

    found = await _by(rig, rig.of((512, 1_024, 2_048, 4_096, 8_192, 16_384), (8_192,)), at)
    memory = {size: [each for each, _ in values] for size, values in found.items()}
    drains = {size: [drain for _, drain in values] for size, values in found.items()}
    x = "stream-node-max-bytes"
    return [
        Curve(
            "stream nodes: memory", x, "bytes per waiting job", {"payload of 80 to 120 bytes": _points(memory)},
            log_x=True,
        ),
        Curve(
            "stream nodes: speed", x, "jobs/s",
            {"enqueue": _part(drains, "enqueue"), "drain": _part(drains, "drain")}, log_x=True,
        ),
    ]  # fmt: skip


async def _append_only(rig: Rig) -> Measured:
    """The append-only file: how often the server writes to the disk what it was told."""
    jobs, alone = _messages(rig.of(20_000, 3_000)), rig.of(200, 40)
    found: dict[str, list[Drain]] = defaultdict(list)
    lone: dict[str, list[float]] = defaultdict(list)

    async def at(policy: str) -> None:
        found[policy].append(await _drained(rig, jobs))
        lone[policy].append(await _one_by_one(rig, alone))

    for _ in range(_rounds(rig)):
        await at("no file")
        async with rig.server.appending():
            for policy in rig.of(("everysec", "always"), ("always",)):
                async with rig.server.configured({"appendfsync": policy}):
                    await at(policy)
    return [
        *(
            _compared(f"{part}, append-only file: {policy}", "jobs/s", found, policy, part, of="no file")
            for part in ("enqueue", "drain") for policy in found
        ),
        *(
            Figure(f"one enqueue, append-only file: {policy}", "µs", median(times), samples={"streamq": times})
            for policy, times in lone.items()
        ),
    ]  # fmt: skip


async def _one_by_one(rig: Rig, jobs: int) -> float:
    """Microseconds of one enqueue, at the median."""
    times = []
    async with rig.app() as app:
        for number in range(jobs):
            start = time.perf_counter()
            await app.tasks["count"].enqueue(message(number).model_dump())
            times.append((time.perf_counter() - start) * 1e6)
    await rig.server.clear()
    return median(times)


async def _full(rig: Rig) -> Measured:
    """Maxmemory: a full server refuses new jobs; those it has must run to their end, and make room again."""
    limit = await rig.server.memory() + rig.of(8_000_000, 3_000_000)
    async with rig.app() as app, rig.worker(app, concurrency=50):
        await app.tasks["wait"].enqueue_many([rig.of(2_000, 1_000)] * 50)
        while (await app.queue(QUEUE).counts()).active < 50:  # noqa: ASYNC110 - it tells only those who ask
            await asyncio.sleep(0.02)
        async with rig.server.configured({"maxmemory": limit, "maxmemory-policy": "noeviction"}):
            taken = await _filled(app)
            left = await _left(app)
            await app.tasks["count"].enqueue(message(0).model_dump())  # there is room again
    await rig.server.clear()
    return [
        Figure("jobs left behind by a server that was full", "", left, bound=Limit("value", "<=", 0),
               note=f"OutOfMemory after {taken:,} jobs; 50 were running"),
    ]  # fmt: skip


async def _filled(app: App) -> int:
    """How many jobs the server takes before it refuses."""
    taken = 0
    while True:
        try:
            # No more than leaves in one round trip: of a larger batch a part may be taken, and the rest refused.
            taken += len(await app.tasks["count"].enqueue_many(_messages(250)))
        except OutOfMemory:
            return taken


async def _left(app: App) -> int:
    """Jobs that are not completed when all have had time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        counts = await app.queue(QUEUE).counts()
        left = counts.waiting + counts.active + counts.delayed + counts.failed
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.05)


# -- one measurement --------------------------------------------------------------------------------------------


async def _drained(
    rig: Rig, payloads: Sequence[Any], *, task: str = "count", concurrency: int = SLOTS,
    settings: dict[str, Any] | None = None, uvloop: bool = True,
) -> Drain:  # fmt: skip
    """Enqueue the payloads, then let a worker of its own process drain them."""
    jobs, server = len(payloads), rig.server
    async with rig.app() as app:
        cpu, start = await server.cpu(), time.perf_counter()
        await app.tasks[task].enqueue_many(payloads)
        enqueue = jobs / (time.perf_counter() - start)
        async with rig.child(
            "worker", pinned=True, concurrency=concurrency, expected=jobs, settings=settings, uvloop=uvloop
        ) as worker:
            said = await worker.told()
            await rig.settled(app)
            redis = await server.cpu() - cpu
    await server.clear()
    return Drain(enqueue, jobs / said["seconds"], redis / jobs * 1e6, said["cpu"] / jobs * 1e6)


async def _by(
    rig: Rig, values: Sequence[Any], at: Callable[[Any], Awaitable[T]], rounds: int | None = None
) -> dict[Any, list[T]]:
    """What comes out at each value of a knob, in interleaved rounds."""
    found: dict[Any, list[T]] = defaultdict(list)
    for _ in range(rounds or _rounds(rig)):
        for value in values:
            found[value].append(await at(value))
    return found


def _rounds(rig: Rig) -> int:
    return rig.of(min(rig.repeat, 2), 1)


def _messages(jobs: int) -> list[Any]:
    return [message(number).model_dump() for number in range(jobs)]


def _points(found: dict[Any, list[float]]) -> list[tuple[float, float]]:
    return [(float(value), median(results)) for value, results in found.items()]


def _part(found: dict[Any, list[Drain]], part: str) -> list[tuple[float, float]]:
    return _points({value: [getattr(drain, part) for drain in drains] for value, drains in found.items()})


def _compared(
    name: str, unit: str, found: dict[Any, list[Drain]], value: Any, part: str, *, of: Any
) -> Figure:
    """A figure whose note has its ratio to that of another value of the knob."""
    ours, theirs = ([getattr(drain, part) for drain in found[key]] for key in (value, of))
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    note = "" if value == of else f"{ratio:.2f} of {of}"
    return Figure(name, unit, median(ours), note=note, samples={"streamq": ours})


WORKER_KNOBS: Final = (_concurrency, _retention, _processes, _loop)
SERVER_KNOBS: Final = (_stream_nodes, _append_only, _full)
