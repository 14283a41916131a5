"""streamq itself, measured the same way: payloads are models that are validated on both sides, results are kept."""

from __future__ import annotations

from streamq import App, Worker

from ..server import PREFIX
from ..tasks import QUEUE, Message
from .adapter import JOBS, Batches, play


def _app(url: str) -> App:
    app = App(redis_url=url, prefix=PREFIX)

    @app.task(queue=QUEUE)
    async def book(message: Message) -> None:
        JOBS.ran({"contact": message.contact})

    return app


async def enqueue(url: str, batches: Batches) -> None:
    """`enqueue_many` of all: it makes its own batches."""
    async with _app(url) as app:
        for payloads in batches:
            await app.tasks["book"].enqueue_many([Message(**payload) for payload in payloads])


async def work(url: str) -> None:
    """A worker with default duties."""
    async with _app(url) as app:
        await Worker(app, concurrency=500).run()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("streamq", "redis", "hiredis", "orjson", "pydantic", "uvloop"),
        settings="concurrency 500, validated models, results kept",
    )
