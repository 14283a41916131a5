"""What the engine writes and how much of the server it takes: read from real jobs, so that a change of it is seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson

from streamq import App, Backoff, JobFailed, Worker

from ..rig import Rig
from ..server import PREFIX
from ..tasks import QUEUE
from .coefficients import Limits
from .memory import Failed, Form, Memory, Records, Streams, Weighed
from .trial import TASK, connected, payloads, text_of

HELD: Final = 2000
"""Jobs that are active at once while they are weighed: four times what a worker reads at once."""
SIZE: Final = 300
"""Bytes of a payload that is no matter of measuring."""
MANY: Final = 50
"""Attempts after which a history has reached its bound, more than twice the entries that are kept."""
SENT: Final = 5000
"""Jobs that are enqueued to see how many go in a call: ten calls' worth."""


async def footprint(rig: Rig, empty: int, weighed: Mapping[str, Sequence[Weighed]]) -> tuple[Memory, Limits]:
    """``weighed`` has jobs by state, ``empty`` is the memory of the server before all. Leaves the server clean."""
    streams = await streams_of(rig, weighed["waiting"][0])
    records = {
        state: Records.fitted(found, streams.allocator)
        for state, found in weighed.items()
        if state != "waiting"
    }
    histories, sent = await failed(rig), await jobs_of_a_call(rig)
    async with rig.app() as app:
        worker, pending, limits = await _held(rig, app, streams, sent)
    await rig.server.clear()
    return Memory(
        streams, **records, histories=histories, pending=pending, worker=worker, empty=empty
    ), limits


async def streams_of(rig: Rig, waiting: Weighed) -> Streams:
    """The server's settings, the form of an entry, and what a block costs beside its bytes."""
    allocator = str((await rig.server.info("memory"))["mem_allocator"])
    limits: Any = await rig.server.client.config_get("stream-node-max-*")
    node = [int(limits[f"stream-node-max-{name}"]) or 1 << 30 for name in ("bytes", "entries")]
    plain = Streams(allocator, node[0], node[1], await form(rig))
    blocks, used = plain.blocks([waiting.size] * waiting.records, TASK)
    return Streams(allocator, *node, plain.form, max(0.0, (waiting.used - used) / blocks))


async def form(rig: Rig) -> Form:
    """Of the entry that a waiting job is. Raises ``LookupError`` where task and payload are no fields of it."""
    payload = payloads([SIZE])[0]
    client = rig.server.client
    async with rig.app() as app:
        job = await app.tasks[TASK].enqueue(payload)
        async for key in client.scan_iter(match=f"{PREFIX}:*", _type="stream"):
            for _, fields in await client.xrange(key, job.id, job.id):
                values = list(fields.values())
                for known in (TASK.encode(), orjson.dumps(payload)):
                    if known not in values:
                        raise LookupError(
                            f"an entry of {key!r} has no field {known!r}: the planner cannot tell its size"
                        )
                    values.remove(known)
                await rig.server.clear()
                return Form(tuple(map(len, fields)), tuple(map(len, values)))
    raise LookupError("a waiting job is no entry of a stream under its id: the planner cannot tell its size")


async def failed(rig: Rig) -> Failed:
    """What a failed record takes beside its payload, by jobs that a worker has failed with tracebacks of any length."""
    app = rig.app(keep_failed=100)
    task = app.task(name="fall", queue=QUEUE, backoff=Backoff(base=0.001, most=0.001))(_fall)
    async with app, _working(app):
        jobs = [await task.enqueue("x" * (SIZE - 2), attempts=attempts) for attempts in (1, 2, 3, MANY)]
        for job in jobs:
            with contextlib.suppress(JobFailed):
                await job.result(timeout=20)
        texts = [await text_of(rig, job.id) - SIZE for job in jobs]
    await rig.server.clear()
    return Failed(*texts)


async def _fall(payload: str) -> None:
    """With a traceback longer than is kept: functions that call each other, as lines of one would be counted."""
    await _deeper(99)


async def _deeper(calls: int) -> None:
    await _still_deeper(calls - 1)


async def _still_deeper(calls: int) -> None:
    if not calls:
        raise ValueError("m" * 190)
    await _deeper(calls - 1)


@asynccontextmanager
async def _working(app: App) -> AsyncIterator[None]:
    """A worker in this process, for the block."""
    worker = Worker(app)
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running


async def jobs_of_a_call(rig: Rig) -> int:
    """How many jobs go in one call when there are many."""
    async with rig.app() as app:
        await app.tasks[TASK].enqueue(payloads([SIZE])[0])  # the server has the script now
        before = await _scripts(rig)
        await app.tasks[TASK].enqueue_many(payloads([SIZE] * SENT))
        calls = await _scripts(rig) - before
    await rig.server.clear()
    return round(SENT / calls)


async def _scripts(rig: Rig) -> int:
    return int((await rig.server.info("commandstats")).get("cmdstat_evalsha", {}).get("calls", 0))


async def _held(rig: Rig, app: App, streams: Streams, sent: int) -> tuple[float, float, Limits]:
    """Memory of a worker that waits, memory of an active job beside its entry, and limits, by more slots than any."""
    client, server = rig.server.client, rig.server
    task, alone = app.tasks[TASK], await connected(rig) - 1
    await task.enqueue(payloads([SIZE])[0], delay=3600)
    producing, before = await connected(rig), await server.memory()
    async with server.configured({"slowlog-log-slower-than": 0, "slowlog-max-len": 10_000}):
        async with rig.worker(app, concurrency=HELD):
            await asyncio.sleep(0.5)  # its duties have connected
            waits = await server.memory()
            await task.enqueue_many(payloads([SIZE] * HELD, 60_000))
            async with asyncio.timeout(15):
                while (await app.queue(QUEUE).counts()).active < HELD:  # noqa: ASYNC110 - it tells only those who ask
                    await asyncio.sleep(0.05)
            used, working = await server.memory(), await connected(rig)
        reads = [entry["command"].split() for entry in await client.slowlog_get(10_000)]
        await client.slowlog_reset()
    read = max(int(words[words.index(b"COUNT") + 1]) for words in reads if words[0].upper() == b"XREADGROUP")
    most: Any = await client.config_get("maxclients")
    limits = Limits(
        read,
        sent,
        task.attempts,
        int(most["maxclients"]),
        max(1, working - producing),
        max(1, producing - alone),
    )
    entry = streams.per_entry([SIZE] * HELD, TASK)
    return max(0.0, float(waits - before)), max(0.0, (used - waits) / HELD - entry), limits
