"""RQ. `enqueue_many` in a pipeline. The usual worker forks for each job (a quarter of the speed): here SimpleWorker.

Results are not kept (``result_ttl=0``); ``description=""`` spares it to build one from the payload.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from .adapter import JOBS, Batches, Payload, chunks, play


def job(payload: Payload) -> None:
    """The no-op."""
    JOBS.ran(payload)


def _queue(url: str) -> Any:
    return Queue(connection=Redis.from_url(url), serializer=JSONSerializer)


def enqueue(url: str, batches: Batches) -> None:
    """`enqueue_many` of a thousand."""
    queue, name = _queue(url), f"{__package__}.rq.job"
    for payloads in batches:
        for chunk in chunks(payloads, 1000):
            with queue.connection.pipeline() as pipeline:
                queue.enqueue_many(
                    [
                        Queue.prepare_data(name, (payload,), result_ttl=0, description="job")
                        for payload in chunk
                    ],
                    pipeline=pipeline,
                )
                pipeline.execute()


def work(url: str) -> None:
    """A worker that runs jobs in its own process."""
    queue = _queue(url)
    SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer).work(logging_level="ERROR")


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("rq", "redis", "hiredis"),
        settings="SimpleWorker, JSONSerializer, result_ttl 0",
    )
