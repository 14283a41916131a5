"""Celery. It has no bulk call: `apply_async` through one held producer.

The pool of threads is its fastest in one process; prefork with one child is slower, and two processes. Results, events,
gossip, mingle and the heartbeat are off, and it prefetches much, as its guide to optimising says.
"""

from typing import Any

from celery import Celery

from .adapter import JOBS, Payload, Sender

PACKAGES = "celery kombu redis hiredis"
SETTINGS = "10 threads, prefetch 100 each, results and events off"


def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _app(url: str) -> tuple[Any, Any]:
    app = Celery("bench", broker=url.replace("unix://", "redis+socket://"))
    app.conf.update(
        task_ignore_result=True,
        worker_prefetch_multiplier=100,
        worker_enable_remote_control=False,
        task_store_errors_even_if_ignored=False,
        worker_hijack_root_logger=False,
    )
    return app, app.task(_job, name="job")


async def sending(url: str) -> Sender:
    app, task = _app(url)
    producer = app.producer_pool.acquire(block=True)
    return Sender(lambda payload: task.apply_async((payload,), producer=producer, retry=False))


def work(url: str) -> None:
    app, _ = _app(url)
    app.worker_main(
        [
            "worker", "--pool=threads", "--concurrency=10", "--loglevel=ERROR",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]
    )  # fmt: skip
