"""The bare limit: the same work with nothing but redis-py (hiredis, uvloop) and orjson."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import orjson
from redis.asyncio import Redis

from .tasks import Counter

STREAM: Final = "bench:bare"
GROUP: Final = "bare"
PIPELINED: Final = 100


async def enqueue(client: Redis, payloads: Sequence[Any]) -> None:
    """XADD, pipelined by 100."""
    for start in range(0, len(payloads), PIPELINED):
        pipeline = client.pipeline(transaction=False)
        for payload in payloads[start : start + PIPELINED]:
            pipeline.xadd(STREAM, {"p": orjson.dumps(payload)})
        await pipeline.execute()


async def join(client: Redis) -> None:
    """Make the stream and its group."""
    await client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)


async def drain(client: Redis, counter: Counter, jobs: int, *, batch: int, tasks: bool) -> None:
    """XREADGROUP COUNT ``batch``, one asyncio task per entry (or none), XACK and XDEL in one pipeline."""
    run = _in_tasks if tasks else _in_line
    left = jobs
    while left:
        reply: Any = await client.xreadgroup(GROUP, "worker", {STREAM: ">"}, count=batch, block=1000)
        entries = _entries(reply)
        if not entries:
            raise RuntimeError(f"{left} of {jobs} entries are missing")
        await run(entries, counter)
        ids = [entry for entry, _ in entries]
        pipeline = client.pipeline(transaction=False)
        pipeline.xack(STREAM, GROUP, *ids)
        pipeline.xdel(STREAM, *ids)
        await pipeline.execute()
        left -= len(entries)


def _entries(reply: Any) -> list[Any]:
    """The entries of the one stream, in either version of the protocol."""
    if isinstance(reply, dict):
        return next(iter(reply.values()))[0] if reply else []
    return reply[0][1] if reply else []


async def _handle(_payload: Any, counter: Counter) -> None:
    counter.count()


async def _in_tasks(entries: list[Any], counter: Counter) -> None:
    started = [asyncio.create_task(_handle(orjson.loads(fields[b"p"]), counter)) for _, fields in entries]
    for task in started:
        await task


async def _in_line(entries: list[Any], counter: Counter) -> None:
    for _, fields in entries:
        await _handle(orjson.loads(fields[b"p"]), counter)
