"""BullMQ for Python. `addBulk` of a thousand.

A higher concurrency slows its worker, which waits on the set of all its jobs. Completed jobs are removed: by default it
keeps them for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bullmq import Queue, Worker

from .adapter import JOBS, Batches, chunks, play


async def enqueue(url: str, batches: Batches) -> None:
    """`addBulk` of a thousand."""
    queue = Queue("bench", {"connection": url})
    options = {"removeOnComplete": True}
    for payloads in batches:
        for chunk in chunks(payloads, 1000):
            await queue.addBulk([{"name": "job", "data": payload, "opts": options} for payload in chunk])


async def _job(job: Any, _token: str) -> None:
    JOBS.ran(job.data)


async def work(url: str) -> None:
    """It works from when it is made."""
    _worker = Worker("bench", _job, {"connection": url, "concurrency": 10})
    await asyncio.Event().wait()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("bullmq", "redis", "hiredis", "uvloop"),
        settings="concurrency 10, removeOnComplete",
    )
