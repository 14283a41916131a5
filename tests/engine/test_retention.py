"""Retention: finished jobs are bounded by count when they finish and by age when the pruner comes by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import redis

from streamq import App, JobFailed, JobNotFound
from streamq.duties.pruner import Pruner
from streamq.model.keys import Keys

from ..rig import census, until, working


def declare(app: App) -> None:
    @app.task(queue="q", attempts=1)
    async def work(x: int) -> int:
        if x < 0:
            raise ValueError(x)
        return x


async def _run(app: App, payloads: list[int]) -> list[str]:
    jobs = await app.enqueue_many("q", "work", payloads)
    await until(lambda: _drained(app))
    return [job.id for job in jobs]


async def _drained(app: App) -> bool:
    counts = await app.queue("q").counts()
    return counts.waiting + counts.active == 0


async def test_only_so_many_finished_jobs_are_kept_of_each_kind(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app(keep_completed=50, keep_failed=20)
    declare(app)
    async with app, working(app, concurrency=50):
        ids = await _run(app, list(range(300)) + [-number for number in range(1, 61)])
        counts = await app.queue("q").counts()
        assert (counts.completed, counts.failed) == (50, 20)
        with pytest.raises(JobNotFound, match="past its retention"):
            await app.queue("q").get(ids[0])
    found = census(client, prefix, "q")
    found.check()
    assert len(found.places) == 70


async def test_a_kept_number_of_nought_keeps_none(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app(keep_completed=0, keep_failed=0)
    declare(app)
    async with app, working(app):
        await _run(app, [1, 2, -1])
    assert census(client, prefix, "q").places == {}
    assert client.exists(Keys(prefix, "q").finished) == 0


async def test_what_is_too_old_is_pruned_and_what_is_not_stays(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app(keep_completed_for=0.05, keep_failed_for=3600.0)
    declare(app)
    async with app, working(app, duties=False):
        await _run(app, [*range(450), -1, -2])
        await asyncio.sleep(0.06)  # their age
        assert await Pruner(app.client.store, lambda: ["q"]).once() == 450
        assert await Pruner(app.client.store, lambda: ["q"]).once() == 0
        await _run(app, [7])
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"completed": 1, "failed": 2}


async def test_no_stream_or_hash_grows_with_what_is_done(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app(keep_completed=10)
    declare(app)
    keys = Keys(prefix, "q")
    async with app, working(app, concurrency=4):
        await _run(app, list(range(2_000)))
    assert client.xlen(keys.ready) == client.xlen(keys.alone) == 0
    assert client.exists(keys.moved, keys.parked, keys.delayed) == 0


async def test_what_an_earlier_version_kept_for_its_signals_is_removed(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    client.xadd(keys.events, {"c": "1-1", "f": ""})
    client.lpush(keys.wake, 1)
    await Pruner(app.client.store, lambda: ["q"]).once()
    assert client.exists(keys.events, keys.wake) == 0


async def test_a_result_outlives_its_job_as_long_as_the_job_is_kept(make_app: Callable[..., App]) -> None:
    app = make_app(keep_completed=1)
    declare(app)
    async with app, working(app):
        first, second = await app.enqueue_many("q", "work", [1, 2])
        assert await second.result(5) == 2
        await until(lambda: _drained(app))
        async with make_app() as other:
            ended = await asyncio.gather(
                *map(other.queue("q").get, (first.id, second.id)), return_exceptions=True
            )
        assert sum(isinstance(end, JobNotFound) for end in ended) == 1
        bad = await app.enqueue("q", "work", -1)
        with pytest.raises(JobFailed):
            await bad.result(5)
