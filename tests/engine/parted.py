"""A queue of four partitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from streamq import App, Context
from streamq.model.places import place_of

QUEUE = "sms"


@pytest.fixture
async def parted(make_app: Callable[..., App]) -> AsyncIterator[App]:
    """An app with a queue of four partitions and a task in it that says what it was given."""
    app = make_app()

    @app.task(queue=QUEUE)
    async def send(ctx: Context, number: int) -> list[object]:
        if number < 0:
            raise ValueError("a number below zero")
        return [ctx.queue, ctx.job_id, number]

    async with app:
        app.queue(QUEUE, partitions=4)
        yield app


def numbers(ids: list[str]) -> Counter[str]:
    """How many ids tell each partition."""
    return Counter(place_of(QUEUE, job_id)[0] for job_id in ids)
