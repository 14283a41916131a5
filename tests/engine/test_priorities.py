"""Priorities of jobs: the lanes into which they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest
import redis

from streamq import App, UsageError
from streamq.model.keys import Keys
from streamq.model.lanes import BY_PRIORITY, PRIORITIES

from ..rig import ON_ONE_SERVER, until, working
from .fetching import calls


async def test_a_job_lies_in_the_lane_of_its_priority_and_is_found_by_its_id(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for priority in PRIORITIES:
        for at in (None, datetime(2020, 1, 1, tzinfo=UTC)):
            job = await app.enqueue("q", "t", priority, priority=priority, at=at)
            assert (await app.queue("q").get(job.id)).payload == priority
    async with app.client.store.pool.links() as links:
        await app.client.store.delayed.promote(links, ["q"], 10)
    assert {p: client.xlen(Keys(prefix, "q").lanes[n - 1]) for p, n in BY_PRIORITY.items()} == dict.fromkeys(
        PRIORITIES, 2
    )


async def test_ids_of_jobs_of_all_priorities_are_different_and_in_the_order_of_their_births(app: App) -> None:
    ids: list[str] = []
    for priority in PRIORITIES * 3:
        ids += [job.id for job in await app.enqueue_many("q", "t", range(600), priority=priority)]
    assert len(set(ids)) == len(ids)
    born = [int(job_id.split("-")[0]) for job_id in ids]
    assert born == sorted(born)


async def test_an_unknown_priority_is_refused_with_those_there_are(app: App) -> None:
    with pytest.raises(UsageError, match="critical, high, normal, low"):
        await app.enqueue("q", "t", 1, priority="urgent")  # type: ignore[arg-type]


async def test_a_worker_that_is_blocked_takes_a_job_of_a_priority_that_was_never_used_at_once(
    app: App,
) -> None:
    @app.task(queue="q")
    async def t(x: str) -> str:
        return x

    async with working(app):
        await (await t.enqueue("normal")).result(timeout=5)
        for priority in ("critical", "low"):
            began = asyncio.get_running_loop().time()
            assert await (await t.enqueue(priority, priority=priority)).result(timeout=10) == priority
            assert asyncio.get_running_loop().time() - began < 2.5, "it waited for the end of the read"


async def test_urgent_jobs_come_first_and_low_ones_get_their_share(app: App) -> None:
    order: list[str] = []

    @app.task(queue="q")
    async def t(x: str) -> None:
        order.append(x)
        await asyncio.sleep(0.001)

    for priority in ("low", "normal", "high", "critical"):
        await t.enqueue_many([priority] * 150, priority=priority)
    async with working(app, concurrency=5):
        await until(lambda: len(order) == 600)
    first = Counter(order[:150])
    assert first["critical"] > first["high"] > first["normal"] > first["low"] > 0


@ON_ONE_SERVER
async def test_what_one_read_of_a_priority_brought_leaves_by_one_trim(app: App, client: redis.Redis) -> None:
    @app.task(queue="q")
    async def work(x: int) -> None: ...

    async with app:
        jobs = await work.options(priority="high").enqueue_many(range(200))
        before = calls(client, "xtrim")
        async with working(app, concurrency=100):
            await asyncio.gather(*[job.result(10) for job in jobs])
        assert calls(client, "xtrim") > before
