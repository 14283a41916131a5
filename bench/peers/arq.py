"""arq. It has no bulk call, and a connection per concurrent caller gains nothing: jobs are enqueued one after another.

A worker polls, and starts at most ``max_jobs`` a poll: the defaults (10 jobs, every 0.5 s) allow 20 jobs a second.
"""

from typing import Any

from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func

from .adapter import JOBS, Payload, Sender

PACKAGES = "arq redis hiredis uvloop"
SETTINGS = "max_jobs 100, poll_delay 10 ms, keep_result 0"


async def sending(url: str) -> Sender:
    pool = await create_pool(RedisSettings.from_dsn(url))
    return Sender(lambda payload: pool.enqueue_job("job", payload))


async def _job(_context: Any, payload: Payload) -> None:
    JOBS.ran(payload)


async def work(url: str) -> None:
    settings = RedisSettings.from_dsn(url)
    jobs = [func(_job, name="job", keep_result=0)]
    await Worker(jobs, redis_settings=settings, max_jobs=100, poll_delay=0.01, log_results=False).async_run()
