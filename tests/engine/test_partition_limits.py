"""Limits of a queue with partitions: its own are of all of it, and it draws from a shared limit as any other queue."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from streamq import App, Context, Limit

from ..rig import ON_ONE_SERVER, until, working

pytestmark = ON_ONE_SERVER

QUEUE = "sms"


class Running:
    """How many jobs run at once, by queue, and the most of it."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds, self.now, self.most, self.units = seconds, Counter[str](), Counter[str](), 1
        self.starts = list[float]()

    async def run(self, queue: str) -> None:
        self.starts.append(time.monotonic())
        for name in (queue, "all"):
            self.now[name] += self.units
            self.most[name] = max(self.most[name], self.now[name])
        await asyncio.sleep(self.seconds)
        self.now.subtract({queue: self.units, "all": self.units})

    def declared(self, app: App, *queues: str, limit: Limit | None = None) -> App:
        """With a task in each queue."""

        async def run(number: int, ctx: Context) -> None:
            await self.run(ctx.queue)

        for queue in queues:
            app.task(queue=queue, name=f"run-{queue}", limit=limit)(run)
        return app


async def ended(app: App, queue: str, count: int) -> bool:
    return (await app.queue(queue).counts()).completed == count


async def test_its_own_limit_and_a_shared_one_hold_both_for_all_its_partitions(
    make_app: Callable[..., App], caplog: pytest.LogCaptureFixture
) -> None:
    running = Running()
    async with running.declared(make_app(), QUEUE, "calls") as app:
        queue = app.queue(QUEUE, partitions=6)
        await app.shared("provider").limit(concurrency=4)
        await queue.limit(shared="provider", concurrency=3)
        await app.queue("calls").limit(shared="provider")
        for name in (QUEUE, "calls"):
            await app.enqueue_many(name, f"run-{name}", range(60))
        async with working(app, concurrency=50):
            status = await until(lambda: _waiting(app))
            assert set(status.waiting) <= {QUEUE, "calls"}
            assert set(status.queues) <= {QUEUE, "calls"}
            await until(lambda: ended(app, QUEUE, 60), 20)
            await until(lambda: ended(app, "calls", 60), 20)
        assert 2 <= running.most[QUEUE] <= 3
        assert 3 <= running.most["all"] <= 4
        told = (await queue.limits())["queue"].told
        assert (told.concurrency, told.shared) == (3, "provider")
        assert [each.name for each in await app.shared_limits()] == ["provider"]
    assert not [
        line for line in caplog.records if line.levelno >= logging.WARNING and "#" in line.getMessage()
    ]


async def _waiting(app: App) -> Any:
    status = await app.shared("provider").status()
    return status if status.waiting else None


async def test_what_code_says_of_both_holds_while_partitions_change(make_app: Callable[..., App]) -> None:
    running = Running()
    limit = Limit(concurrency=3, shared="provider")
    async with running.declared(make_app(), QUEUE, limit=limit) as app:
        app.limit_shared("provider", Limit(concurrency=2))
        queue = app.queue(QUEUE)
        await app.enqueue_many(QUEUE, "run-sms", range(30))
        async with working(app, concurrency=50):
            await queue.partition(4)
            await app.enqueue_many(QUEUE, "run-sms", range(30))
            await queue.partition(9)
            await app.shared("provider").limit(concurrency=10)
            await app.enqueue_many(QUEUE, "run-sms", range(30))
            await until(lambda: ended(app, QUEUE, 90), 30)
    assert 2 <= running.most[QUEUE] <= 3


async def test_units_count_for_the_shared_limit_and_not_for_its_own(make_app: Callable[..., App]) -> None:
    running = Running(0.1)
    async with running.declared(make_app(), QUEUE) as app:
        queue = app.queue(QUEUE, partitions=4)
        await app.shared("provider").limit(concurrency=10)
        await queue.limit(shared="provider", concurrency=3)
        jobs = await app.enqueue_many(QUEUE, "run-sms", range(12), units=5)
        async with working(app, concurrency=50):
            for job in jobs:
                await job.result(20)
    assert running.most[QUEUE] == 2


async def test_its_own_rate_holds_beside_a_shared_limit(make_app: Callable[..., App]) -> None:
    running = Running(0.0)
    async with running.declared(make_app(), QUEUE) as app:
        queue = app.queue(QUEUE, partitions=4)
        await app.shared("provider").limit(rate="1000/s")
        await queue.limit(shared="provider", rate="10/s")
        await app.enqueue_many(QUEUE, "run-sms", range(30))
        async with working(app, concurrency=50):
            await until(lambda: ended(app, QUEUE, 30), 20)
    for first, eleventh in zip(running.starts, running.starts[10:], strict=False):
        assert eleventh - first > 0.95


async def test_who_waits_for_one_of_both_goes_on_once_that_is_taken_back(
    make_app: Callable[..., App],
) -> None:
    async with Running(0.0).declared(make_app(), QUEUE) as app:
        queue, provider = app.queue(QUEUE, partitions=4), app.shared("provider")
        await queue.limit(concurrency=10, shared="provider")
        await provider.pause("down")
        jobs = await app.enqueue_many(QUEUE, "run-sms", range(40))
        async with working(app, concurrency=50):
            await asyncio.sleep(0.3)
            assert await ended(app, QUEUE, 0)
            assert "shared limit 'provider' is paused" in (await jobs[0].why()).text
            await queue.limit(shared=None)
            await until(lambda: ended(app, QUEUE, 40), 10)
            assert (await queue.limits())["queue"].told.concurrency == 10
