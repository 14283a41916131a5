"""streaQ. `enqueue_many` is one pipeline. Tasks keep no result, and do not log each job."""

from typing import Any

from streaq import Worker

from .adapter import JOBS, OPEN, Payload, Sender

PACKAGES = "streaq coredis uvloop"
SETTINGS = "concurrency 100, silent, ttl 0"


async def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _worker(url: str) -> tuple[Any, Any]:
    worker = Worker(redis_url=url, concurrency=100)
    return worker, worker.task(name="job", silent=True, ttl=0)(_job)


async def sending(url: str) -> Sender:
    worker, task = _worker(url)
    await OPEN.enter_async_context(worker)
    return Sender(
        task.enqueue,
        lambda payloads: worker.enqueue_many([task.enqueue(payload) for payload in payloads]),
        chunk=1000,
    )


async def work(url: str) -> None:
    worker, _ = _worker(url)
    await worker.run_async()
