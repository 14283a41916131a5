"""streaQ. `enqueue_many` is one pipeline. Tasks keep no result, and do not log each job."""

from __future__ import annotations

from typing import Any

from streaq import Worker

from .adapter import JOBS, Batches, Payload, chunks, play

CONCURRENCY = 100


async def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _worker(url: str) -> tuple[Any, Any]:
    worker = Worker(redis_url=url, concurrency=CONCURRENCY)
    return worker, worker.task(name="job", silent=True, ttl=0)(_job)


async def enqueue(url: str, batches: Batches) -> None:
    """`enqueue_many` of a thousand."""
    worker, task = _worker(url)
    async with worker:
        for payloads in batches:
            for chunk in chunks(payloads, 1000):
                await worker.enqueue_many([task.enqueue(payload) for payload in chunk])


async def work(url: str) -> None:
    """A worker without results."""
    worker, _ = _worker(url)
    await worker.run_async()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("streaq", "coredis", "uvloop"),
        settings="concurrency 100, silent, ttl 0",
    )
