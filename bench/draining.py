"""One drain: jobs are enqueued, a process runs them all, and that each ran once is checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from tempfile import TemporaryFile
from typing import Any

from . import bare
from .process import Child, Gone
from .rig import Rig
from .tasks import message


class NotWhole(Gone):
    """Jobs were lost or repeated. The message is one sentence for the user."""


def check(found: int, jobs: int, what: str = "ran") -> None:
    """Raises ``NotWhole`` unless exactly ``jobs`` did ``what``."""
    if found != jobs:
        raise NotWhole(f"{found:,} jobs {what} where {jobs:,} were enqueued")


async def ours(
    rig: Rig, jobs: int, *, concurrency: int, task: str = "count", pause: float = 0.0, **config: Any
) -> float:
    """Jobs a second of a worker, from its first to its last. The task ``rest`` awaits ``pause`` seconds."""
    async with rig.app() as app:
        await app.tasks[task].enqueue_many([message(number).model_dump() for number in range(jobs)])
        async with rig.child(
            "worker", pinned=True, concurrency=concurrency, expected=jobs, pause=pause, **config
        ) as worker:
            said = await worker.told()
            await rig.settled(app)
            check((await worker.end())["ran"], jobs)
    await rig.server.clear()
    return float(jobs / said["seconds"])


async def ours_logged(rig: Rig, jobs: int, *, concurrency: int, form: str, level: str) -> float:
    """The same by a worker that logs as a role does, into a file; at ``info`` that is a line for each job."""
    with TemporaryFile() as log:
        rate = await ours(
            rig, jobs, concurrency=concurrency, logs=True, log=log, settings={"log": form, "log_level": level}
        )
        log.seek(0)
        check(sum(b" completed in " in line for line in log), jobs if level == "info" else 0, "were logged")
    return rate


async def bare_loop(rig: Rig, jobs: int, *, batch: int, tasks: bool = True, pause: float = 0.0) -> float:
    """The same by the bare loop."""
    client = rig.server.client
    await bare.join(client)
    await bare.enqueue(client, [message(number).model_dump() for number in range(jobs)])
    async with rig.child("bare", pinned=True, expected=jobs, batch=batch, tasks=tasks, pause=pause) as loop:
        said = await loop.told()
        check((await loop.told())["ran"], jobs)
    await rig.server.clear()
    return float(jobs / said["seconds"])


async def ours_by_many(rig: Rig, jobs: int, *, concurrency: int, processes: int) -> float:
    """Jobs a second of some workers that begin at the same moment, from the first to the last of all."""
    async with rig.app() as app:
        await app.tasks["count"].enqueue_many([message(number).model_dump() for number in range(jobs)])
        child = partial(rig.child, "worker", concurrency=concurrency, gate=True)
        async with _at_the_gate(child, processes) as workers:
            for worker in workers:
                worker.say()
            await rig.settled(app)
            said = [await worker.end() for worker in workers]
    await rig.server.clear()
    return _together(said, jobs)


async def bare_by_many(rig: Rig, jobs: int, *, batch: int, processes: int) -> float:
    """The same by bare loops, which end when nothing is left."""
    client = rig.server.client
    await bare.join(client)
    await bare.enqueue(client, [message(number).model_dump() for number in range(jobs)])
    child = partial(rig.child, "bare", expected=0, batch=batch, tasks=True, gate=True)
    async with _at_the_gate(child, processes) as loops:
        for loop in loops:
            loop.say()
        said = [await loop.told() for loop in loops]
    await rig.server.clear()
    return _together(said, jobs)


@asynccontextmanager
async def _at_the_gate(
    child: Callable[[], AbstractAsyncContextManager[Child]], processes: int
) -> AsyncIterator[list[Child]]:
    """That many children, each loaded and waiting to be let begin."""
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(child()) for _ in range(processes)]
        for waiting in children:
            await waiting.told()
        yield children


def _together(said: list[dict[str, Any]], jobs: int) -> float:
    """Jobs a second over all processes; one that came too late for any job counts nothing."""
    check(sum(one["ran"] for one in said), jobs)
    busy = [one for one in said if one["ran"]]
    span = max(one["last"] for one in busy) - min(one["first"] for one in busy)
    return float(jobs / span * 1e9)
