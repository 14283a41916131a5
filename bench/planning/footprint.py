"""What jobs, workers and connections take of the server, and what the engine allows: read from jobs that are run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from streamq import App, Backoff, JobFailed, Task, Worker

from ..occupancy import STATES, exact, spread, warm
from ..rig import Rig, until
from ..tasks import QUEUE
from .coefficients import Limits
from .memory import Curve, Histories
from .trial import TASK, connected, payloads, text_of

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
MANY: Final = 50
"""Attempts after which a history has reached its bound, more than twice the entries that are kept."""
FAILED: Final = (SIZE, SIZE + 1024, 2)
"""Bytes of payloads of jobs that fail to be weighed: as far apart as an allocator's classes are for their records."""
SENT: Final = 5000
"""Jobs that are enqueued to see how many go in a call: ten calls' worth."""


async def curves(rig: Rig, wanted: Iterable[int] = ()) -> dict[str, Curve]:
    """Of jobs that wait, are delayed, or completed. Those of the size that is ``wanted`` have exactly that size."""
    await warm(rig)
    found = dict[str, Curve]()
    for state in ("waiting", "delayed", "completed"):
        mixes = {**dict.fromkeys(SIZES, spread), **dict.fromkeys(wanted, exact)}
        points = []
        for size, mix in sorted(mixes.items()):
            jobs = min(rig.of(4_000, 1_000), rig.of(16_000_000, 4_000_000) // size)
            points.append((float(size + NAME), (await STATES[state](rig, mix(size, jobs))).beyond - NAME))
        found[state] = Curve(tuple(points))
    return found


async def failed(rig: Rig) -> tuple[Histories, float]:
    """Histories, of jobs whose tracebacks are longer than is kept; and the bytes of a job that had one attempt."""
    histories = Histories(*await texts_after(rig, (1, 2, 3, MANY)))
    async with _failing(rig) as (app, task):
        before = await rig.server.memory()
        await task.enqueue_many(["x" * (size - 2) for size in range(*FAILED)], attempts=1)
        await rig.settled(app)
        each = (await rig.server.memory() - before) / len(range(*FAILED))
    return histories, each


async def texts_after(rig: Rig, attempts: Sequence[int]) -> list[int]:
    """Bytes beside payload and name of jobs that a worker has failed after so many attempts each."""
    async with _failing(rig) as (_, task):
        jobs = [await task.enqueue("x" * (SIZE - 2), attempts=number) for number in attempts]
        for job in jobs:
            with contextlib.suppress(JobFailed):
                await job.result(timeout=20)
        return [await text_of(rig, job.id) - SIZE - len(task.name) for job in jobs]


@asynccontextmanager
async def _failing(rig: Rig) -> AsyncIterator[tuple[App, Task[Any, Any]]]:
    """A task that always fails and a worker of it in this process, which does not tell of each. Leaves nothing."""
    app, log = rig.app(keep_failed=1000), logging.getLogger("streamq")
    task = app.task(name=FALL, queue=QUEUE, backoff=Backoff(base=0.001, most=0.001))(_fall)
    worker, level = Worker(app), log.level
    log.setLevel(logging.CRITICAL)
    async with app, asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        try:
            yield app, task
        finally:
            worker.stop()
            log.setLevel(level)
    await rig.server.clear()


async def _fall(payload: str) -> None:
    """Two functions that call each other: repeated lines of one would be counted and left out of a traceback."""
    await _deeper(payload, 99)


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


async def limits(rig: Rig) -> tuple[float, Limits]:
    """Memory of a worker that waits, and the limits. What a worker asks for says how many jobs it reads at once."""
    client, server, sent = rig.server.client, rig.server, await _jobs_of_a_call(rig)
    alone = await connected(rig)
    async with rig.app() as app, server.configured({"slowlog-log-slower-than": 0, "slowlog-max-len": 10_000}):
        task = app.tasks[TASK]

        async def all_read() -> bool:
            return not (await app.queue(QUEUE).counts()).waiting

        await task.enqueue(payloads([SIZE])[0], delay=3600)
        producing, before = await connected(rig), await server.memory()
        async with rig.worker(app, concurrency=HELD):
            await asyncio.sleep(0.5)  # its duties have connected
            worker, working = await server.memory() - before, await connected(rig)
            await task.enqueue_many(payloads([SIZE] * HELD))
            await until(all_read)
        commands = [entry["command"].split() for entry in await client.slowlog_get(10_000)]
        await client.slowlog_reset()
    await server.clear()
    read = max(int(words[words.index(b"COUNT") + 1]) for words in commands if words[:1] == [b"XREADGROUP"])
    most: Any = await client.config_get("maxclients")
    own = max(1, working - producing), max(1, producing - alone)
    return max(0.0, float(worker)), Limits(read, sent, task.attempts, int(most["maxclients"]), *own)


async def _jobs_of_a_call(rig: Rig) -> int:
    async with rig.app() as app:
        await app.tasks[TASK].enqueue(payloads([SIZE])[0])  # the server has the script now
        before = await _scripts(rig)
        await app.tasks[TASK].enqueue_many(payloads([SIZE] * SENT))
        calls = await _scripts(rig) - before
    await rig.server.clear()
    return round(SENT / calls)


async def _scripts(rig: Rig) -> int:
    return int((await rig.server.info("commandstats"))["cmdstat_evalsha"]["calls"])
