"""When a unique key is free again, and what becomes of those that follow: with workers that run the jobs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
import redis

from streamq import App, Fail, JobFailed, Unique
from streamq.model.keys import Keys

from ..rig import working


async def ended(job: Any) -> None:
    with contextlib.suppress(JobFailed):
        await job.result(timeout=5)


@pytest.mark.parametrize("end", ["returns", "fails"])
async def test_a_key_is_free_when_its_job_has_ended(
    app: App, client: redis.Redis, prefix: str, end: str
) -> None:
    @app.task(queue="q", attempts=1)
    async def t(x: int) -> None:
        if end == "fails":
            raise Fail("no")

    first = await t.enqueue(1, key="k")
    async with working(app):
        await ended(first)
        second = await t.enqueue(2, key="k")
        assert second.disposition == "created"
        await ended(second)
    assert not client.exists(Keys(prefix, "q").unique)


async def test_a_key_that_is_taken_until_the_start_is_free_while_the_job_runs(app: App) -> None:
    runs, go = asyncio.Event(), asyncio.Event()

    @app.task(queue="q", unique=Unique(fields=["n"], until="started"))
    async def t(x: dict[str, Any]) -> None:
        runs.set()
        await go.wait()

    first = await t.enqueue({"n": 1})
    assert (await t.enqueue({"n": 1})).disposition == "existing"
    async with working(app):
        await runs.wait()
        second = await t.enqueue({"n": 1})
        assert (second.disposition, second.id != first.id) == ("created", True)
        go.set()
        await second.result(timeout=5)


async def test_the_latest_of_all_that_came_while_one_ran_follows_it(app: App) -> None:
    seen: list[int] = []
    runs, go = asyncio.Event(), asyncio.Event()

    @app.task(queue="q", unique=Unique(fields=["k"], conflict="latest"))
    async def t(x: dict[str, int]) -> None:
        seen.append(x["n"])
        runs.set()
        await go.wait()

    await t.enqueue({"k": 1, "n": 0})
    async with working(app):
        await runs.wait()
        jobs = [await t.enqueue({"k": 1, "n": n}) for n in range(1, 6)]
        assert [job.disposition for job in jobs] == ["following", *["replaced"] * 4]
        go.set()
        await jobs[-1].result(timeout=5)
    assert seen == [0, 5]


async def test_jobs_that_follow_run_one_after_the_other_also_through_retries(app: App) -> None:
    seen: list[int] = []
    now = 0

    @app.task(queue="q", attempts=2, unique=Unique(fields=["k"], conflict="queue"), backoff=None)
    async def t(x: dict[str, int]) -> None:
        nonlocal now
        now += 1
        assert now == 1, "two at once"
        await asyncio.sleep(0.002)
        now -= 1
        seen.append(x["n"])
        if x["n"] == 3 and seen.count(3) == 1:
            raise ValueError("again")

    jobs = await t.enqueue_many([{"k": 1, "n": n} for n in range(8)])
    async with working(app):
        await jobs[-1].result(timeout=20)
    assert seen == [0, 1, 2, 3, 3, 4, 5, 6, 7]
