"""Which jobs are slow: those that run now, and those that have run."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from streamq import App, SlowJobs, UsageError
from streamq.model.clock import host_now, to_ms
from streamq.model.envelope import Delivery
from streamq.model.keys import Keys
from streamq.model.slowest import MOST, SPAN, written
from streamq.worker.attempt import Attempt
from streamq.worker.slowest import Slowest

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working


async def ended(app: App, count: int) -> SlowJobs | None:
    """What is slow, once so many have ended and are counted."""
    found = await app.slow()
    return found if len(found.finished) == count else None


@ON_ONE_SERVER
async def test_the_slowest_jobs_are_told_those_that_run_and_those_that_have_ended(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    let_go = asyncio.Event()

    @app.task(queue="q", attempts=1)
    async def nap(seconds: float) -> None:
        await (asyncio.sleep(seconds) if seconds < 1 else let_go.wait())
        if seconds == 0.2:
            raise ValueError("overslept")

    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    jobs = await nap.enqueue_many([0.1, 9.0, 0.2, 0.0])
    async with working(app):
        found = await until(lambda: ended(app, 3))
        assert [job.job for job in found.finished] == [jobs[2].id, jobs[0].id, jobs[3].id]
        assert [job.state for job in found.finished] == ["failed", "completed", "completed"]
        assert found.finished[0].seconds >= 0.2
        assert (found.looked_at, found.complete) == (3, True)
        (running,) = found.running
        assert (running.job, running.state, running.seconds > 0.2) == (jobs[1].id, "active", True)
        (shown,) = await asyncio.to_thread(run_all, tmp_path, [Call(("slow", "--json"))], **environment)
        assert json.loads(shown.out)["running"][0]["job"] == jobs[1].id
        assert len((await app.slow(limit=1)).finished) == 1
        let_go.set()


@ON_ONE_SERVER
async def test_only_a_number_of_slow_jobs_that_can_be_is_told(app: App) -> None:
    for wrong in (0, 101, True, "3"):
        with pytest.raises(UsageError, match="1 to 100"):
            await app.slow(limit=wrong)  # type: ignore[arg-type]


@ON_ONE_SERVER
async def test_a_slow_job_is_told_also_where_no_record_of_it_is_kept(app: App) -> None:
    @app.task(queue="q")
    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds)

    await app.queue("q").keep(completed=0)
    jobs = await nap.enqueue_many([0.1, 0.0])
    async with working(app):
        found = await until(lambda: ended(app, 2))
    assert [job.job for job in found.finished] == [job.id for job in jobs]
    assert (await app.queue("q").counts()).completed == 0, "their records are gone"
    assert found.complete


@ON_ONE_SERVER
async def test_where_workers_count_nothing_the_records_tell_what_was_slow(
    make_app: Callable[..., App],
) -> None:
    async with make_app(statistics=False) as app:

        @app.task(queue="q")
        async def nap() -> None: ...

        job = await nap.enqueue()
        async with working(app):
            found = await until(lambda: ended(app, 1))
        assert found.finished[0].job == job.id


def an_attempt(number: int) -> Attempt:
    fields = [b"task", b"t", b"payload", b"1"]
    return Attempt(Delivery("q", 1, [f"{number}-0".encode(), fields]), None, "w")


def test_a_worker_tells_the_slowest_of_ten_minutes_and_a_quick_job_costs_a_comparison() -> None:
    slowest, told, noted = Slowest(), list[int](), 0
    times = random.Random(1).sample(range(100_000), 20_000)  # noqa: S311  # not for secrets
    for number, ms in enumerate(times):
        if ms / 1000 > slowest.floor:
            noted += 1
            slowest.note(an_attempt(number), "completed", ms / 1000, SPAN)
        if number % 500 == 0:
            told += [ran.took for ran in slowest.take()]
    told += [ran.took for ran in slowest.take()]
    assert set(sorted(times)[-MOST:]) <= set(told)
    assert noted < 1_000
    slowest.turn(2 * SPAN)
    assert slowest.floor < 0, "what is quick may be the slowest of the next ten minutes"


def test_while_the_server_is_away_a_bounded_number_is_kept() -> None:
    slowest = Slowest()
    for number in range(10_000):
        slowest.note(an_attempt(number), "completed", number, SPAN)
    kept = [ran.took for ran in slowest.take()]
    assert MOST <= len(kept) <= 2 * MOST
    assert set(range(9_900_000, 10_000_000, 1000)) <= set(kept)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_server_keeps_a_hundred_once_each_and_what_others_wrote_is_passed_over(
    app: App, client: redis.Redis, prefix: str
) -> None:
    await app.enqueue("q", "t", 1)
    now = to_ms(host_now())
    told = {"q": {written(f"{n}-0", "t", "completed", "w", now): n for n in range(150)}}
    async with app.client.store.pool.links() as links:
        for _ in range(2):
            await app.client.store.slow.add(links, told, now // SPAN)
    key = Keys(prefix, "q").slow_of(now // SPAN)
    assert client.zcard(key) == MOST
    assert 0 < client.pttl(key) <= 80 * 60_000
    client.zadd(
        key, {"junk": 1e9, "[1]": 1e9, '["1-0","t","odd","w",1]': 1e9, f'["1-0","t","failed","w",{now}]': 2e2}
    )
    found = await app.client.store.slow.of_the_hour(["q"], now)
    assert len(found) == MOST + 1
    assert max(job.seconds for job in found) == 0.2
    assert not await app.client.store.slow.of_the_hour(["q"], now + 3_600_001)
