"""SAQ. It has no bulk call: concurrent `enqueue`s share its connections.

Its sweep may run a few finished jobs again, which the results show as more runs than jobs. A ``ttl`` of -1 makes it
forget a job when it is complete; JSON by orjson is its documented faster choice.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from saq import Worker
from saq.queue.redis import RedisQueue

from .adapter import JOBS, Batches, Payload, chunks, play


def _queue(url: str) -> RedisQueue:
    return RedisQueue.from_url(url, dump=orjson.dumps, load=orjson.loads)


async def enqueue(url: str, batches: Batches) -> None:
    """A hundred `enqueue`s at a time, of which SAQ runs twenty at once."""
    queue = _queue(url)
    await queue.connect()
    for payloads in batches:
        for chunk in chunks(payloads, 100):
            await asyncio.gather(*[queue.enqueue("job", payload=payload, ttl=-1) for payload in chunk])


async def job(_context: Any, *, payload: Payload) -> None:
    """The no-op."""
    JOBS.ran(payload)


async def work(url: str) -> None:
    """A worker without results."""
    queue = _queue(url)
    await queue.connect()
    await Worker(queue, [("job", job)], concurrency=50).start()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("saq", "redis", "hiredis", "orjson", "uvloop"),
        settings="concurrency 50, orjson, ttl -1",
    )
