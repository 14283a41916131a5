"""One drain: jobs are enqueued, a process runs them all, and that each ran once is checked."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle, islice
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from streamq import App

from . import bare
from .cores import WORKER_CORE, pinned
from .process import Gone
from .rig import Rig
from .server import Server
from .tasks import QUEUE, messages


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


Sending = Callable[[App], Callable[[Any], Awaitable[Any]]]
"""How an app sends payloads."""


def check(found: int, jobs: int, what: str = "ran") -> None:
    """Raises ``NotWhole`` unless exactly ``jobs`` did ``what``."""
    if found != jobs:
        raise NotWhole(f"{found:,} jobs {what} where {jobs:,} were enqueued")


async def ours(
    rig: Rig, payloads: Sequence[Any], *, concurrency: int, task: str = "count", waiting: int = 0,
    settings: dict[str, Any] | None = None, sending: Sending | None = None, **config: Any,
) -> Drain:  # fmt: skip
    """A drain by a worker, from its first job to its last, while ``waiting`` others wait behind them and remain.

    ``sending`` sends the jobs otherwise than by ``enqueue_many`` of the task.
    """
    async with rig.app(**(settings or {})) as app:
        send = app.tasks[task].enqueue_many if sending is None else sending(app)
        sent = await _sent(rig.server, payloads, send)
        jobs: dict[str, Any] = {"concurrency": concurrency, "expected": len(payloads)}
        async with rig.child("worker", pinned=True, settings=settings, **jobs, **config) as worker:
            said = await worker.told()
            ran = (await worker.end())["ran"]
            await worker.process.wait()
        drain = await _drain(rig.server, sent, said, ran)
        left = await app.queue(QUEUE).counts()
        check(left.waiting + left.active + ran, waiting + len(payloads), "ran or wait")
        if waiting:
            await app.tasks[task].enqueue_many(list(islice(cycle(payloads), ran - len(payloads))))
            return drain
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


async def bare_loop(
    rig: Rig,
    payloads: Sequence[Any],
    *,
    batch: int,
    stream: str = bare.STREAM,
    waiting: int = 0,
    **config: Any,
) -> Drain:
    """The same by the bare loop; a stream in which others wait is there already."""
    client = rig.server.client
    if not waiting:
        await bare.join(client, stream)
    sent = await _sent(rig.server, payloads, partial(bare.enqueue, client, stream=stream))
    jobs: dict[str, Any] = {"expected": len(payloads), "batch": batch, "stream": stream}
    async with rig.child("bare", pinned=True, **jobs, **config) as loop:
        said = await loop.told()
        check((await loop.told())["ran"], len(payloads))
        await loop.process.wait()
    drain = await _drain(rig.server, sent, said, len(payloads))
    check(await client.xlen(stream), waiting, "wait")
    if not waiting:
        await rig.server.clear()
    return drain


async def one_by_one(rig: Rig, payloads: Sequence[Any], task: str = "count") -> list[float]:
    """Microseconds of each enqueue of a lone caller. Leaves the server clean."""
    times = []
    async with rig.app() as app:
        for payload in payloads:
            start = time.perf_counter()
            await app.tasks[task].enqueue(payload)
            times.append((time.perf_counter() - start) * 1e6)
    await rig.server.clear()
    return times


class _Sent(NamedTuple):
    """What the sending of jobs took: seconds of ours, and of the server's CPU before and after it; bytes."""

    jobs: int
    seconds: float
    before: float
    after: float
    memory: int


async def _sent(server: Server, payloads: Sequence[Any], send: Callable[[Any], Awaitable[Any]]) -> _Sent:
    """From the worker's core, as the server has the other."""
    before, memory = await server.cpu(), await server.memory()
    with pinned(WORKER_CORE):
        start = time.perf_counter()
        await send(payloads)
        seconds = time.perf_counter() - start
    return _Sent(len(payloads), seconds, before, await server.cpu(), await server.memory() - memory)


async def _drain(server: Server, sent: _Sent, said: dict[str, Any], ran: int) -> Drain:
    """What the server took to run ``ran`` jobs, which may be some more than were sent."""
    sending, cpu = (sent.after - sent.before) / sent.jobs, (await server.cpu() - sent.after) / ran
    return Drain(
        sent.jobs / sent.seconds, sent.jobs / said["seconds"], (sending + cpu) * 1e6, cpu * 1e6,
        said["cpu"] / sent.jobs * 1e6, sent.memory / sent.jobs,
    )  # fmt: skip


async def ours_by_many(
    rig: Rig, payloads: Sequence[Any], *, concurrency: int, processes: int, task: str = "count"
) -> float:
    """Jobs a second of some workers that begin at the same moment, from the first to the last of all."""
    async with rig.app() as app:
        await app.tasks[task].enqueue_many(payloads)
    return await _at_once(rig, len(payloads), processes, "worker", concurrency=concurrency)


async def bare_by_many(rig: Rig, payloads: Sequence[Any], *, batch: int, processes: int) -> float:
    """The same by bare loops, which end when nothing is left."""
    await bare.join(rig.server.client)
    await bare.enqueue(rig.server.client, payloads)
    return await _at_once(rig, len(payloads), processes, "bare", expected=0, batch=batch)


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
