"""Retention: finished jobs are bounded by count when they finish and by age when the pruner comes by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App, JobFailed, JobNotFound, UsageError
from streamq.duties.pruner import Pruner
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, census, until, working


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


async def test_what_is_told_at_run_time_holds_for_workers_that_run_and_for_the_pruner(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app(keep_completed=50, keep_failed=20)
    declare(app)
    async with app, working(app), make_app() as operator:
        queue = operator.queue("q")
        told = await queue.keep(completed=5, failed=3, failed_for="2h")
        assert (told.queue.completed, told.queue.failed, told.queue.failed_for) == (5, 3, 7_200)
        await until(lambda: app.client.store.retentions.get("q"))
        await _run(app, [*range(30), -1, -2, -3, -4, -5])
        counts = await queue.counts()
        assert (counts.completed, counts.failed) == (5, 3)
        for number in range(5):
            await (await app.enqueue("q", "work", number, delay=60)).cancel()
        assert (await queue.counts()).cancelled == 3, "also where the settings of a process say otherwise"
        await queue.keep(completed=None, failed=None, failed_for=None)
        await until(lambda: not app.client.store.retentions.get("q"))
        await _run(app, [*range(30), -1, -2, -3, -4, -5])
        counts = await queue.counts()
        assert (counts.completed, counts.failed) == (35, 8)
        await queue.keep(completed=1, completed_for=3600)
        assert await Pruner(operator.client.store, lambda: ["q"]).once() == 34
        await queue.keep(completed_for="1ms")
        assert await Pruner(operator.client.store, lambda: ["q"]).once() == 1
    census(client, prefix, "q").check()


async def test_a_task_may_keep_less_than_its_queue_by_its_code_or_as_it_is_told(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    app = make_app()

    @app.task(queue="q", attempts=1, keep_completed=0, keep_failed=2)
    async def chatty(x: int) -> int:
        if x < 0:
            raise ValueError(x)
        return x

    declare(app)
    async with app, working(app):
        queue = app.queue("q")
        await until(lambda: app.client.store.retentions.get("q"))
        assert (await queue.retention()).tasks["chatty"].completed == 0
        job = await app.enqueue("q", "chatty", 5)
        assert await job.result(5) == 5, "who waits has the result all the same"
        await app.enqueue_many("q", "chatty", [1, 2, 3, -1, -2, -3, -4])
        await _run(app, [7, 8])
        await until(lambda: _is(app, completed=2, failed=2))
        page = await queue.jobs("completed")  # type: ignore[arg-type]
        assert [each.task for each in page.items] == ["work", "work"]
        told = await queue.keep(task="chatty", completed=3, failed_for="1ms")
        assert (told.tasks["chatty"].completed, told.tasks["chatty"].failed) == (3, 2)
        await until(lambda: app.client.store.retentions["q"].tasks["chatty"].completed == 3)
        await app.enqueue_many("q", "chatty", range(9))
        await until(lambda: _is(app, completed=5))
        assert await Pruner(app.client.store, lambda: ["q"]).once() == 2
        await queue.keep(task="chatty", completed=None, failed_for=None)
        assert (await queue.retention()).tasks["chatty"].completed == 0, "as its code says"
    found = census(client, prefix, "q")
    found.check()


async def _is(app: App, **counts: int) -> bool:
    found = (await app.queue("q").counts()).asdict()
    return found["waiting"] + found["active"] == 0 and all(found[name] == n for name, n in counts.items())


async def test_a_failed_job_of_such_a_task_that_ran_again_keeps_its_record(
    make_app: Callable[..., App],
) -> None:
    app = make_app()
    fails = True

    @app.task(queue="q", attempts=1, keep_failed=1)
    async def mended(x: int) -> int:
        if fails:
            raise ValueError(x)
        return x

    async with app, working(app):
        await until(lambda: app.client.store.retentions.get("q"))
        job = await app.enqueue("q", "mended", 1)
        await until(lambda: _is(app, failed=1))
        fails = False
        await job.retry()
        assert await job.result(5) == 1
        fails = True
        for number in range(2):
            await app.enqueue("q", "mended", number)
            await until(lambda: _is(app, completed=1, failed=1))
        assert (await job.status()).state.value == "completed"


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"completed": -1}, "whole number from 0"), ({"failed_for": 0}, "above 0"),
        ({"completed": True}, "whole number"),
        ({"failed_for": "soon"}, "write seconds"), ({"task": ""}, "cannot name a task"),
    ],
)  # fmt: skip
async def test_a_retention_that_cannot_be_is_refused(app: App, given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        await app.queue("q").keep(**{"completed": 5, **given})
    assert (await app.queue("q").retention()).queue.completed is None
