"""huey. It has no bulk call: tasks are enqueued one after another.

One thread, its default, was its fastest in one process, of 1 to 10. Results are off, though a job that returns nothing
has none anyway, and so are periodic tasks.
"""

import logging
from typing import Any

from huey import RedisHuey

from .adapter import JOBS, Payload, Sender

THREADS = 1
PACKAGES = "huey redis hiredis"
SETTINGS = f"{THREADS} thread, no results, not periodic"


def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _huey(url: str) -> tuple[Any, Any]:
    huey = RedisHuey("bench", url=url, results=False)
    return huey, huey.task(name="job")(_job)


async def sending(url: str) -> Sender:
    _, task = _huey(url)
    return Sender(task)


def work(url: str) -> None:
    """The consumer of its command line, without a log line for each job."""
    logging.getLogger("huey").setLevel(logging.ERROR)
    huey, _ = _huey(url)
    huey.create_consumer(workers=THREADS, periodic=False).start()
