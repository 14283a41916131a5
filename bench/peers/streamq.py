"""streamq itself, measured the same way: payloads are models, validated when enqueued; results are kept.

Its worker takes them as they are, as those of the peers do: none of them validates.
"""

from typing import Any

from streamq import App, Worker

from ..server import PREFIX
from ..tasks import QUEUE, Message, declare
from .adapter import JOBS, OPEN, Sender

PACKAGES = "streamq redis hiredis orjson pydantic uvloop"
SETTINGS = "concurrency 500, models validated when enqueued, results kept"


async def sending(url: str) -> Sender:
    """`enqueue_many` makes batches of its own."""
    app = await OPEN.enter_async_context(declare(App(redis_url=url, prefix=PREFIX)))
    book = app.tasks["book"]
    return Sender(
        lambda payload: book.enqueue(Message(**payload)),
        lambda payloads: book.enqueue_many([Message(**payload) for payload in payloads]),
        chunk=1_000_000,
    )


async def work(url: str) -> None:
    """A worker with default duties."""
    app = App(redis_url=url, prefix=PREFIX)

    @app.task(queue=QUEUE)
    async def book(message: Any) -> None:
        JOBS.ran(message)

    async with app:
        await Worker(app, concurrency=500).run()
