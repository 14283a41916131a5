"""Since when the first waiting job waits, whatever it was before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streamq import App

pytestmark = pytest.mark.keeps_keys


@pytest.fixture
def app(server_url: str, prefix: str) -> App:
    app = App(redis_url=server_url, prefix=prefix)

    @app.task(queue="q")
    async def add(number: int) -> None: ...

    return app


async def test_it_is_when_the_first_could_be_taken_and_none_where_none_waits(app: App) -> None:
    async with app:
        queue = app.queue("q")
        assert await queue.waiting_since() is None
        late = await app.enqueue("q", "add", 1, delay=3600)
        assert await queue.waiting_since() is None
        first = await app.enqueue("q", "add", 2)
        created = (await first.status()).created_at
        assert await queue.waiting_since() == created
        await first.cancel()
        promoted = await queue.promote(late.id)
        since = await queue.waiting_since()
        assert since is not None
        assert promoted.created_at is not None
        assert timedelta(0) <= since - promoted.created_at < timedelta(seconds=60)
        assert since > promoted.created_at


async def test_a_job_of_any_priority_counts(app: App) -> None:
    async with app:
        low = await app.enqueue("q", "add", 1, priority="low")
        await app.enqueue("q", "add", 2)
        await app.enqueue("q", "add", 3, priority="critical")
        since = await app.queue("q").waiting_since()
        assert since == (await low.status()).created_at
