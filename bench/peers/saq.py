"""SAQ. It has no bulk call: concurrent `enqueue`s share its connections, of which it uses twenty.

Its sweep may run a few finished jobs again, which the results show as more runs than jobs. A ``ttl`` of -1 makes it
forget a job when it is complete; JSON by orjson is its documented faster choice.
"""

from typing import Any

import orjson
from saq import Worker
from saq.queue.redis import RedisQueue

from .adapter import JOBS, Payload, Sender

PACKAGES = "saq redis hiredis orjson uvloop"
SETTINGS = "concurrency 50, orjson, ttl -1"


async def _queue(url: str) -> RedisQueue:
    queue = RedisQueue.from_url(url, dump=orjson.dumps, load=orjson.loads)
    await queue.connect()
    return queue


async def sending(url: str) -> Sender:
    queue = await _queue(url)
    return Sender(lambda payload: queue.enqueue("job", payload=payload, ttl=-1), chunk=100)


async def _job(_context: Any, *, payload: Payload) -> None:
    JOBS.ran(payload)


async def work(url: str) -> None:
    await Worker(await _queue(url), [("job", _job)], concurrency=50).start()
