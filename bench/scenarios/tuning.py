"""What each knob does: retention, processes, uvloop, stream nodes, the append-only file, maxmemory."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Awaitable
from statistics import median
from typing import Any, Final

from streamq import App, OutOfMemory

from ..draining import Drain, one_by_one, ours, ours_by_many
from ..figures import Curve, Figure, Measured, Points, alone, medians
from ..occupancy import spread, waiting
from ..rig import Rig, in_turns, until
from ..tasks import QUEUE, message, messages

SLOTS: Final = 500
"""Of a worker, where concurrency is not the knob."""
LOOPS: Final = ("uvloop", "asyncio")
COMPUTED: Final = 200
"""Microseconds of the processor that a computing handler takes."""
PATIENCE: Final = 30.0
"""Seconds that running and waiting jobs may take to end."""


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


async def _retention(rig: Rig) -> Measured:
    """Retention. More jobs than are kept, so that the oldest record goes when a new one comes."""
    jobs, kept = messages(rig.of(120_000, 8_000)), rig.of((0, 1_000, 100_000), (0, 1_000))

    async def at(kept: int) -> Drain:
        return await ours(rig, jobs, concurrency=SLOTS, settings={"keep_completed": kept})

    found = await in_turns(rig.rounds(2), kept, at)
    x = "completed jobs kept"
    return [
        Curve("retention: drain", x, "jobs/s", {"drain": _part(found, "drain")}),
        Curve("retention: Redis CPU", x, "µs per job", {"enqueue to finished record": _part(found, "redis")}),
    ]


async def _processes(rig: Rig) -> Measured:
    """Processes, with handlers that compute: one process has one core."""

    def rate(processes: int) -> Awaitable[float]:
        jobs = [COMPUTED] * rig.of(6_000, 1_500)
        return ours_by_many(rig, jobs, concurrency=50, processes=processes, task="compute")

    found = await in_turns(1, rig.of((1, 2, 4), (2,)), rate)
    series = {f"handlers compute {COMPUTED} µs": medians(found)}
    return [Curve("processes", "worker processes", "jobs/s", series)]


async def _loop(rig: Rig) -> Measured:
    """The event loop under the worker: uvloop, as `streamq worker` has it, or asyncio's own."""
    jobs = messages(rig.of(20_000, 5_000))
    found = await in_turns(
        rig.rounds(2), LOOPS, lambda name: ours(rig, jobs, concurrency=SLOTS, uvloop=name == "uvloop")
    )
    return [
        _compared(f"{label}, {name}", unit, found, name, part, of="uvloop")
        for label, unit, part in (("drain", "jobs/s", "drain"), ("worker CPU per job", "µs", "worker"))
        for name in LOOPS
    ]


# -- the server's knobs -----------------------------------------------------------------------------------------


async def _stream_nodes(rig: Rig) -> Measured:
    """Stream nodes: how many bytes of entries the server packs together."""
    jobs = rig.of(20_000, 5_000)
    memory: dict[int, list[float]] = defaultdict(list)

    async def at(size: int) -> Drain:
        async with rig.server.configured({"stream-node-max-bytes": size}):
            memory[size].append((await waiting(rig, spread(100, jobs))).each)
            return await ours(rig, messages(jobs), concurrency=SLOTS)

    sizes = rig.of((512, 1_024, 2_048, 4_096, 8_192, 16_384), (8_192,))
    drains = await in_turns(rig.rounds(2), sizes, at)
    x, series = "stream-node-max-bytes", {"payload of 80 to 120 bytes": medians(memory)}
    speed = {part: _part(drains, part) for part in ("enqueue", "drain")}
    return [
        Curve("stream nodes: memory", x, "bytes per waiting job", series, log_x=True),
        Curve("stream nodes: speed", x, "jobs/s", speed, log_x=True),
    ]


async def _append_only(rig: Rig) -> Measured:
    """The append-only file: how often the server writes to the disk what it was told."""
    jobs, few = messages(rig.of(20_000, 3_000)), messages(rig.of(200, 40))
    found: dict[str, list[Drain]] = defaultdict(list)
    lone: dict[str, list[float]] = defaultdict(list)

    async def at(policy: str) -> None:
        found[policy].append(await ours(rig, jobs, concurrency=SLOTS))
        lone[policy].append(median(await one_by_one(rig, few)))

    for _ in range(rig.rounds(2)):
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
            alone(f"one enqueue, append-only file: {policy}", "µs", times)
            for policy, times in lone.items()
        ),
    ]  # fmt: skip


async def _full(rig: Rig) -> Measured:
    """Maxmemory: a full server refuses new jobs; those it has must run to their end, and make room again."""

    async def running() -> bool:
        return (await app.queue(QUEUE).counts()).active >= 50

    limit = await rig.server.memory() + rig.of(8_000_000, 3_000_000)
    async with rig.app() as app, rig.worker(app, concurrency=50):
        await app.tasks["act"].enqueue_many([{"ms": rig.of(2_000, 1_000)}] * 50)
        await until(running)
        async with rig.server.configured({"maxmemory": limit, "maxmemory-policy": "noeviction"}):
            taken = await _filled(app)
            with contextlib.suppress(TimeoutError):  # the figure says how many are left
                await rig.settled(app, PATIENCE)
            counts = await app.queue(QUEUE).counts()
            await app.tasks["count"].enqueue(message(0).model_dump())  # there is room again
    await rig.server.clear()
    left = counts.waiting + counts.active + counts.delayed + counts.failed
    note = f"OutOfMemory after {taken:,} jobs; 50 were running"
    return [Figure("jobs left behind by a server that was full", "", left, note=note)]


async def _filled(app: App) -> int:
    """How many jobs the server takes before it refuses."""
    taken = 0
    while True:
        try:
            # No more than leaves in one round trip: of a larger batch a part may be taken, and the rest refused.
            taken += len(await app.tasks["count"].enqueue_many(messages(250)))
        except OutOfMemory:
            return taken


# -- one measurement --------------------------------------------------------------------------------------------


def _part(found: dict[Any, list[Drain]], part: str) -> Points:
    return medians({value: [getattr(drain, part) for drain in drains] for value, drains in found.items()})


def _compared(
    name: str, unit: str, found: dict[Any, list[Drain]], value: Any, part: str, *, of: Any
) -> Figure:
    """A figure whose note has its ratio to that of another value of the knob."""
    ours, theirs = ([getattr(drain, part) for drain in found[key]] for key in (value, of))
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    return alone(name, unit, ours, note="" if value == of else f"{ratio:.2f} of {of}")


WORKER_KNOBS: Final = (_retention, _processes, _loop)
SERVER_KNOBS: Final = (_stream_nodes, _append_only, _full)
