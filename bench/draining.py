"""One drain: jobs are enqueued, a process runs them all, and that each ran once is checked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from . import bare
from .process import Gone
from .rig import Rig
from .tasks import messages


class NotWhole(Gone):
    """Jobs were lost or repeated. The message is one sentence for the user."""


class Drain(NamedTuple):
    """Jobs a second into the server and out of it; per job microseconds of CPU, and bytes while it waits."""

    enqueue: float
    drain: float
    redis: float
    worker: float
    memory: float


def check(found: int, jobs: int, what: str = "ran") -> None:
    """Raises ``NotWhole`` unless exactly ``jobs`` did ``what``."""
    if found != jobs:
        raise NotWhole(f"{found:,} jobs {what} where {jobs:,} were enqueued")


async def ours(
    rig: Rig, payloads: Sequence[Any], *, concurrency: int, task: str = "count", **config: Any
) -> Drain:
    """A drain by a worker, from its first job to its last. The task ``rest`` awaits ``pause`` seconds."""
    jobs, server = len(payloads), rig.server
    async with rig.app() as app:
        cpu, memory, start = await server.cpu(), await server.memory(), time.perf_counter()
        await app.tasks[task].enqueue_many(payloads)
        enqueue = jobs / (time.perf_counter() - start)
        memory = await server.memory() - memory
        async with rig.child(
            "worker", pinned=True, concurrency=concurrency, expected=jobs, **config
        ) as worker:
            said = await worker.told()
            await rig.settled(app)
            cpu = await server.cpu() - cpu
            check((await worker.end())["ran"], jobs)
    await server.clear()
    return _drain(jobs, enqueue, said, cpu, memory)


async def ours_logged(rig: Rig, jobs: int, *, concurrency: int, form: str, level: str) -> float:
    """Jobs a second of a worker that logs as a role does, into a file; at ``info`` that is a line for each job."""
    settings = {"log": form, "log_level": level}
    with TemporaryFile() as log:
        drain = await ours(
            rig, messages(jobs), concurrency=concurrency, logs=True, log=log, settings=settings
        )
        log.seek(0)
        check(sum(b" completed in " in line for line in log), jobs if level == "info" else 0, "were logged")
    return drain.drain


async def bare_loop(rig: Rig, payloads: Sequence[Any], *, batch: int, **config: Any) -> Drain:
    """The same by the bare loop."""
    jobs, server = len(payloads), rig.server
    await bare.join(server.client)
    cpu, memory, start = await server.cpu(), await server.memory(), time.perf_counter()
    await bare.enqueue(server.client, payloads)
    enqueue = jobs / (time.perf_counter() - start)
    memory = await server.memory() - memory
    async with rig.child("bare", pinned=True, expected=jobs, batch=batch, **config) as loop:
        said = await loop.told()
        check((await loop.told())["ran"], jobs)
        await loop.process.wait()
    cpu = await server.cpu() - cpu
    await server.clear()
    return _drain(jobs, enqueue, said, cpu, memory)


def _drain(jobs: int, enqueue: float, said: dict[str, Any], cpu: float, memory: int) -> Drain:
    return Drain(enqueue, jobs / said["seconds"], cpu / jobs * 1e6, said["cpu"] / jobs * 1e6, memory / jobs)


async def ours_by_many(rig: Rig, jobs: int, *, concurrency: int, processes: int) -> float:
    """Jobs a second of some workers that begin at the same moment, from the first to the last of all."""
    async with rig.app() as app, AsyncExitStack() as stack:
        await app.tasks["count"].enqueue_many(messages(jobs))
        children = [rig.child("worker", concurrency=concurrency, gate=True) for _ in range(processes)]
        workers = [await stack.enter_async_context(child) for child in children]
        for worker in workers:
            await worker.told()
        for worker in workers:
            worker.say()
        await rig.settled(app)
        said = [await worker.end() for worker in workers]
    await rig.server.clear()
    return _together(said, jobs)


async def bare_by_many(rig: Rig, jobs: int, *, batch: int, processes: int) -> float:
    """The same by bare loops, which end when nothing is left."""
    await bare.join(rig.server.client)
    await bare.enqueue(rig.server.client, messages(jobs))
    async with AsyncExitStack() as stack:
        children = [rig.child("bare", expected=0, batch=batch, gate=True) for _ in range(processes)]
        loops = [await stack.enter_async_context(child) for child in children]
        for loop in loops:
            await loop.told()
        for loop in loops:
            loop.say()
        said = [await loop.told() for loop in loops]
    await rig.server.clear()
    return _together(said, jobs)


def _together(said: list[dict[str, Any]], jobs: int) -> float:
    """Jobs a second over all processes; one that came too late for any job counts nothing."""
    check(sum(one["ran"] for one in said), jobs)
    busy = [one for one in said if one["ran"]]
    span = max(one["last"] for one in busy) - min(one["first"] for one in busy)
    return float(jobs / span * 1e9)
