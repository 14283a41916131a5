"""arq. It has no bulk call, and a connection per concurrent caller gains nothing: jobs are enqueued one after another.

A worker polls, and starts at most ``max_jobs`` a poll: the defaults (10 jobs, every 0.5 s) allow 20 jobs a second.
"""

from __future__ import annotations

from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func

from .adapter import JOBS, Batches, Payload, play


async def enqueue(url: str, batches: Batches) -> None:
    """One `enqueue_job` after another."""
    pool = await create_pool(RedisSettings.from_dsn(url))
    for payloads in batches:
        for payload in payloads:
            await pool.enqueue_job("job", payload)


async def job(_context: Any, payload: Payload) -> None:
    """The no-op."""
    JOBS.ran(payload)


async def work(url: str) -> None:
    """A worker without results."""
    await Worker(
        [func(job, name="job", keep_result=0)],
        redis_settings=RedisSettings.from_dsn(url),
        max_jobs=100,
        poll_delay=0.01,
        log_results=False,
    ).async_run()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("arq", "redis", "hiredis", "uvloop"),
        settings="max_jobs 100, poll_delay 10 ms, keep_result 0",
    )
