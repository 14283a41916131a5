"""BullMQ for Python.

A higher concurrency slows its worker, which waits on the set of all its jobs. Completed jobs are removed: by default it
keeps them for ever.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from bullmq import Queue, Worker

from .adapter import JOBS, Payload, Sender

PACKAGES = "bullmq redis hiredis uvloop"
SETTINGS = "concurrency 10, removeOnComplete"

OPTIONS = {"removeOnComplete": True}


async def sending(url: str) -> Sender:
    queue = Queue("bench", {"connection": url})

    def many(payloads: Sequence[Payload]) -> Any:
        return queue.addBulk([{"name": "job", "data": payload, "opts": OPTIONS} for payload in payloads])

    return Sender(lambda payload: queue.add("job", payload, OPTIONS), many, chunk=1000)


async def _job(job: Any, _token: str) -> None:
    JOBS.ran(job.data)


async def work(url: str) -> None:
    """It works from when it is made."""
    _worker = Worker("bench", _job, {"connection": url, "concurrency": 10})
    await asyncio.Event().wait()
