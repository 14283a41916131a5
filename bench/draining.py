"""One drain: jobs are enqueued, a process runs them all, and that each ran once is checked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from . import bare
from .process import Gone
from .rig import Rig
from .server import Server
from .tasks import messages


class NotWhole(Gone):
    """Jobs were lost or repeated. The message is one sentence for the user."""


class Drain(NamedTuple):
    """Jobs a second into the server and out of it; per job microseconds of CPU, and bytes while it waits.

    ``drained`` is what the server takes of ``redis`` once the jobs are there.
    """

    enqueue: float
    drain: float
    redis: float
    drained: float
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
    async with rig.app() as app:
        sent = await _sent(rig.server, payloads, app.tasks[task].enqueue_many)
        async with rig.child(
            "worker", pinned=True, concurrency=concurrency, expected=len(payloads), **config
        ) as worker:
            said = await worker.told()
            await rig.settled(app)
            drain = await _drain(rig.server, sent, said)
            check((await worker.end())["ran"], len(payloads))
    await rig.server.clear()
    return drain


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
    client = rig.server.client
    await bare.join(client)
    sent = await _sent(rig.server, payloads, partial(bare.enqueue, client))
    async with rig.child("bare", pinned=True, expected=len(payloads), batch=batch, **config) as loop:
        said = await loop.told()
        check((await loop.told())["ran"], len(payloads))
        await loop.process.wait()
    drain = await _drain(rig.server, sent, said)
    await rig.server.clear()
    return drain


class _Sent(NamedTuple):
    """What the sending of jobs took: seconds of ours, and of the server's CPU before and after it; bytes."""

    jobs: int
    seconds: float
    before: float
    after: float
    memory: int


async def _sent(server: Server, payloads: Sequence[Any], send: Callable[[Any], Awaitable[Any]]) -> _Sent:
    before, memory, start = await server.cpu(), await server.memory(), time.perf_counter()
    await send(payloads)
    seconds = time.perf_counter() - start
    return _Sent(len(payloads), seconds, before, await server.cpu(), await server.memory() - memory)


async def _drain(server: Server, sent: _Sent, said: dict[str, Any]) -> Drain:
    cpu, micros = await server.cpu(), 1e6 / sent.jobs
    return Drain(
        sent.jobs / sent.seconds, sent.jobs / said["seconds"], (cpu - sent.before) * micros,
        (cpu - sent.after) * micros, said["cpu"] * micros, sent.memory / sent.jobs,
    )  # fmt: skip


async def ours_by_many(rig: Rig, jobs: int, *, concurrency: int, processes: int) -> float:
    """Jobs a second of some workers that begin at the same moment, from the first to the last of all."""
    async with rig.app() as app:
        await app.tasks["count"].enqueue_many(messages(jobs))
    return await _at_once(rig, jobs, processes, "worker", concurrency=concurrency)


async def bare_by_many(rig: Rig, jobs: int, *, batch: int, processes: int) -> float:
    """The same by bare loops, which end when nothing is left."""
    await bare.join(rig.server.client)
    await bare.enqueue(rig.server.client, messages(jobs))
    return await _at_once(rig, jobs, processes, "bare", expected=0, batch=batch)


async def _at_once(rig: Rig, jobs: int, processes: int, role: str, **config: Any) -> float:
    """Jobs a second over all processes; one that came too late for any job counts nothing."""
    async with rig.app() as app, AsyncExitStack() as stack:
        children = [
            await stack.enter_async_context(rig.child(role, gate=True, **config)) for _ in range(processes)
        ]
        for child in children:
            await child.told()
        for child in children:
            child.say()
        await rig.settled(app)
        said = [await child.end() for child in children]
    await rig.server.clear()
    check(sum(one["ran"] for one in said), jobs)
    busy = [one for one in said if one["ran"]]
    span = max(one["last"] for one in busy) - min(one["first"] for one in busy)
    return float(jobs / span * 1e9)
