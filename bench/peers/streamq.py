"""streamq itself, measured the same way: payloads are models, validated when enqueued; results are kept.

Its worker takes them as they are, as those of the peers do: none of them validates.
"""

from __future__ import annotations

from typing import Any

from streamq import App, Worker

from ..server import PREFIX
from ..tasks import QUEUE, Message
from .adapter import JOBS, Batches, play


async def enqueue(url: str, batches: Batches) -> None:
    """`enqueue_many` of all: it makes its own batches."""
    app = App(redis_url=url, prefix=PREFIX)

    @app.task(queue=QUEUE)
    async def book(message: Message) -> None:
        """Runs elsewhere."""

    async with app:
        for payloads in batches:
            await book.enqueue_many([Message(**payload) for payload in payloads])


async def work(url: str) -> None:
    """A worker with default duties."""
    app = App(redis_url=url, prefix=PREFIX)

    @app.task(queue=QUEUE)
    async def book(message: Any) -> None:
        JOBS.ran(message)

    async with app:
        await Worker(app, concurrency=500).run()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("streamq", "redis", "hiredis", "orjson", "pydantic", "uvloop"),
        settings="concurrency 500, models validated when enqueued, results kept",
    )
