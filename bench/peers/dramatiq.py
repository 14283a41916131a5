"""dramatiq. It has no bulk call: messages are sent one after another.

Sixteen threads were its fastest in one process, of 1 to 16.
"""

from __future__ import annotations

import threading
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from .adapter import JOBS, Batches, Payload, play

THREADS = 16


def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _actor(url: str) -> tuple[Any, Any]:
    broker = RedisBroker(url=url, middleware=[])
    dramatiq.set_broker(broker)
    return broker, dramatiq.actor(_job, actor_name="job", broker=broker)


def enqueue(url: str, batches: Batches) -> None:
    """One `send` after another."""
    _, actor = _actor(url)
    for payloads in batches:
        for payload in payloads:
            actor.send(payload)


def work(url: str) -> None:
    """A worker without middleware: no retries, limits or statistics to pay for."""
    broker, _ = _actor(url)
    dramatiq.Worker(broker, worker_threads=THREADS).start()
    threading.Event().wait()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("dramatiq", "redis", "hiredis"),
        settings=f"{THREADS} threads, no middleware",
    )
