"""RQ. The usual worker forks for each job (a quarter of the speed): here SimpleWorker.

Results are not kept (``result_ttl=0``); ``description=""`` spares it to build one from the payload.
"""

from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from .adapter import JOBS, Payload, Sender

PACKAGES = "rq redis hiredis"
SETTINGS = "SimpleWorker, JSONSerializer, result_ttl 0"

NAME = f"{__package__}.rq.job"
OPTIONS: dict[str, Any] = {"result_ttl": 0, "description": "job"}


def job(payload: Payload) -> None:
    """Found by its name, in a module that is not ``__main__``."""
    JOBS.ran(payload)


def _queue(url: str) -> Any:
    return Queue(connection=Redis.from_url(url), serializer=JSONSerializer)


async def sending(url: str) -> Sender:
    queue = _queue(url)

    def many(payloads: Sequence[Payload]) -> None:
        jobs = [Queue.prepare_data(NAME, (payload,), **OPTIONS) for payload in payloads]
        with queue.connection.pipeline() as pipeline:
            queue.enqueue_many(jobs, pipeline=pipeline)
            pipeline.execute()

    return Sender(lambda payload: queue.enqueue_call(NAME, (payload,), **OPTIONS), many, chunk=1000)


def work(url: str) -> None:
    queue = _queue(url)
    SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer).work(logging_level="ERROR")
