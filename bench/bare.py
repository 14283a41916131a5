"""The bare limit: the same work with nothing but redis-py (hiredis, uvloop) and orjson."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from redis.asyncio import BlockingConnectionPool, Redis

from .tasks import Counter

STREAM: Final = "bench:bare"
GROUP: Final = "bare"
PIPELINED: Final = 100


@asynccontextmanager
async def shared_client(url: str) -> AsyncIterator[Redis]:
    """A client for any number of concurrent callers, as redis-py documents it: a pool that makes them wait for one
    of its connections, 50 by default."""
    pool = BlockingConnectionPool.from_url(url)
    try:
        yield Redis(connection_pool=pool)
    finally:
        await pool.aclose()


async def enqueue(client: Redis, payloads: Sequence[Any], stream: str = STREAM) -> None:
    """XADD, pipelined by 100."""
    for start in range(0, len(payloads), PIPELINED):
        pipeline = client.pipeline(transaction=False)
        for payload in payloads[start : start + PIPELINED]:
            pipeline.xadd(stream, {"p": orjson.dumps(payload)})
        await pipeline.execute()


async def enqueue_one(client: Redis, payload: Any) -> None:
    """One XADD."""
    await client.xadd(STREAM, {"p": orjson.dumps(payload)})


async def join(client: Redis, stream: str = STREAM) -> None:
    """Make the stream and its group."""
    await client.xgroup_create(stream, GROUP, id="0", mkstream=True)


async def drain(
    client: Redis, counter: Counter, jobs: int, *, batch: int, tasks: bool = True, pause: float = 0.0,
    stream: str = STREAM,
) -> None:  # fmt: skip
    """XREADGROUP COUNT ``batch``, one asyncio task per entry (or none), XACK and XDEL in one pipeline.

    Handlers await ``pause`` seconds. With ``jobs`` 0 until a read of a second is empty.
    """
    run = _in_tasks if tasks else _in_line
    left = jobs
    while entries := await _read(client, stream, min(batch, left) if jobs else batch):
        await run(entries, counter, pause)
        await _settle(client, stream, entries)
        left -= len(entries)
        if not left:
            return
    if jobs:
        raise RuntimeError(f"{left} of {jobs} entries are missing")


async def consume(client: Redis, counter: Counter) -> None:
    """The same for what arrives, without end: one task per entry, which notes when it began."""
    while True:
        if entries := await _read(client, STREAM, PIPELINED):
            started = [asyncio.create_task(_arrive(fields[b"p"], counter)) for _, fields in entries]
            for task in started:
                await task
            await _settle(client, STREAM, entries)


async def _read(client: Redis, stream: str, count: int) -> list[Any]:
    """The entries of the one stream, in either version of the protocol."""
    reply: Any = await client.xreadgroup(GROUP, "worker", {stream: ">"}, count=count, block=1000)
    if isinstance(reply, dict):
        return next(iter(reply.values()))[0] if reply else []
    return reply[0][1] if reply else []


async def _settle(client: Redis, stream: str, entries: list[Any]) -> None:
    ids = [entry for entry, _ in entries]
    pipeline = client.pipeline(transaction=False)
    pipeline.xack(stream, GROUP, *ids)
    pipeline.xdel(stream, *ids)
    await pipeline.execute()


async def _handle(_payload: Any, counter: Counter, pause: float) -> None:
    if pause:
        counter.begin()
        await asyncio.sleep(pause)
    counter.count()


async def _arrive(payload: bytes, counter: Counter) -> None:
    counter.arrive(orjson.loads(payload)["number"])


async def _in_tasks(entries: list[Any], counter: Counter, pause: float) -> None:
    started = [
        asyncio.create_task(_handle(orjson.loads(fields[b"p"]), counter, pause)) for _, fields in entries
    ]
    for task in started:
        await task


async def _in_line(entries: list[Any], counter: Counter, pause: float) -> None:
    for _, fields in entries:
        await _handle(orjson.loads(fields[b"p"]), counter, pause)
