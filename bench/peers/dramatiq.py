"""dramatiq, without middleware: no retries, limits or statistics to pay for. It has no bulk call.

Sixteen threads were its fastest in one process, of 1 to 16.
"""

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from .adapter import JOBS, Payload, Sender

THREADS = 16
PACKAGES = "dramatiq redis hiredis"
SETTINGS = f"{THREADS} threads, no middleware"


def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _actor(url: str) -> tuple[Any, Any]:
    broker = RedisBroker(url=url, middleware=[])
    dramatiq.set_broker(broker)
    return broker, dramatiq.actor(_job, actor_name="job", broker=broker)


async def sending(url: str) -> Sender:
    _, actor = _actor(url)
    return Sender(actor.send)


def work(url: str) -> None:
    broker, _ = _actor(url)
    dramatiq.Worker(broker, worker_threads=THREADS).start()
