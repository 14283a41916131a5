"""taskiq with the stream broker of taskiq-redis. It has no bulk call: jobs are kicked one after another.

By default it keeps every acknowledged message for ever; ``maxlen`` would drop waiting ones, so it is not set. Checks of
parameters (``validate_params``) are switched off, as none of the others has them.
"""

from typing import Any

from taskiq.api import run_receiver_task
from taskiq.serializers import ORJSONSerializer
from taskiq_redis import RedisStreamBroker

from .adapter import JOBS, Payload, Sender

PACKAGES = "taskiq taskiq-redis redis hiredis uvloop"
SETTINGS = "max_async_tasks 100, xread_count 100, orjson, no validation"


async def _job(payload: Payload) -> None:
    JOBS.ran(payload)


def _broker(url: str) -> tuple[Any, Any]:
    broker = RedisStreamBroker(url, consumer_id="0").with_serializer(ORJSONSerializer())
    return broker, broker.register_task(_job, "job")


async def sending(url: str) -> Sender:
    broker, task = _broker(url)
    await broker.startup()
    return Sender(task.kiq)


async def work(url: str) -> None:
    """A receiver as the command line starts one."""
    broker, _ = _broker(url)
    await run_receiver_task(broker, max_async_tasks=100, validate_params=False, run_startup=True)
