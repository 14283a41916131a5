"""What jobs, workers and connections take of the server: read from jobs that are run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from streamq import Backoff

from ..occupancy import PATIENCE, STATES, exact, spread, warm, working
from ..rig import Rig
from ..tasks import QUEUE
from .coefficients import Connections
from .memory import Curve
from .trial import TASK, payloads

SIZES: Final = tuple(round(60 * 1.5**step) for step in range(18))
"""Bytes of payloads, to 59,117; sizes around each are measured, as an allocator has four classes to a doubling."""
NAME: Final = len("count")
"""The task that ``occupancy`` measures with, whose name is in each job."""
FALL: Final = "fall"
"""The task that fails."""
SIZE: Final = 300
"""Bytes of a payload that is no matter of measuring."""
HELD: Final = 2000
"""Jobs that are active at once while they are weighed: more than a worker reads at once."""
ATTEMPTS: Final = (1, 2, 3, 10, 20, 30)
"""After which a failed job is weighed: a history has reached its bound with some twenty."""
BURIED: Final = 32
"""Jobs that fail to be weighed, each 128 bytes larger than the one before: an allocator rounds their records."""


async def curves(rig: Rig, wanted: Iterable[int] = ()) -> list[Curve]:
    """Of jobs that wait, are delayed, or completed. Those of the size that is ``wanted`` have exactly that size."""
    await warm(rig)
    found = list[Curve]()
    for state in ("waiting", "delayed", "completed"):
        mixes = {**dict.fromkeys(SIZES, spread), **dict.fromkeys(wanted, exact)}
        points = []
        for size, mix in sorted(mixes.items()):
            jobs = min(rig.of(4_000, 1_000), rig.of(16_000_000, 4_000_000) // size)
            points.append((float(size + NAME), (await STATES[state](rig, mix(size, jobs))).beyond - NAME))
        found.append(Curve(tuple(points)))
    return found


async def failed(rig: Rig, attempts: Iterable[int] = ATTEMPTS) -> Curve:
    """Of jobs that a worker in this process has failed, whose tracebacks are longer than is kept."""
    app, log = rig.app(keep_failed=10_000), logging.getLogger("streamq")
    task = app.task(name=FALL, queue=QUEUE, backoff=Backoff(base=0.001, most=0.001))(_fall)
    level, points = log.level, list[tuple[float, float]]()
    log.setLevel(logging.CRITICAL)  # the worker shall not tell of each
    jobs = ["x" * (SIZE - 2 + 128 * number) for number in range(BURIED)]
    beside = sum(map(len, jobs)) / BURIED + 2 + len(FALL)
    try:
        async with app, working(app, BURIED):
            for number in (
                1,
                1,
                1,
                *attempts,
            ):  # what there is once, however many jobs, comes with the first ones
                before = await rig.server.memory()
                await task.enqueue_many(jobs, attempts=number)
                await rig.settled(app, PATIENCE)
                points.append((number, (await rig.server.memory() - before) / BURIED - beside))
    finally:
        log.setLevel(level)
    await rig.server.clear()
    return Curve(tuple(points[3:]))


async def _fall(payload: str) -> None:
    """Two functions that call each other: repeated lines of one would be counted and left out of a traceback."""
    await _deeper(payload, 49)


async def _deeper(payload: str, calls: int) -> None:
    await _still_deeper(payload, calls - 1)


async def _still_deeper(payload: str, calls: int) -> None:
    if not calls:
        raise ValueError(payload[:200])  # as long whatever the payload is
    await _deeper(payload, calls - 1)


async def pending(rig: Rig) -> float:
    """Bytes of an active job beside those it took when it waited."""
    active, waiting = [(await STATES[state](rig, exact(SIZE, HELD))).each for state in ("active", "waiting")]
    return active - waiting


async def of_a_worker(rig: Rig) -> tuple[float, Connections]:
    """Memory of a worker that waits, and connections."""
    alone = await rig.server.connections()
    async with rig.app() as app:
        await app.tasks[TASK].enqueue(payloads([SIZE])[0], delay=3600)
        producing, before = await rig.server.connections(), await rig.server.memory()
        async with rig.worker(app):
            await asyncio.sleep(0.5)  # its duties have connected
            worker, working = await rig.server.memory() - before, await rig.server.connections()
    await rig.server.clear()
    most: Any = await rig.server.client.config_get("maxclients")
    own = max(1, working - producing), max(1, producing - alone)
    return max(0.0, float(worker)), Connections(int(most["maxclients"]), *own)
