"""What follows a job that has failed for good: a job of the task that its own names, in the same queue."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
import redis

from streamq import App, ConfigurationError, FailedJob, Masked, State
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working


async def test_a_job_of_the_named_task_is_enqueued_in_the_call_that_buries_the_failed_one(
    app: App, client: redis.Redis, prefix: str
) -> None:
    met: list[FailedJob] = []

    @app.task(queue="elsewhere")
    async def mend(failed: FailedJob) -> None:
        met.append(failed)

    @app.task(queue="q", attempts=2, backoff=None, on_failed="mend")
    async def pay(x: dict[str, Annotated[str, Masked]]) -> None:
        raise ValueError("no money")

    async with working(app, queues=["q"]):
        job = await pay.enqueue({"card": "4242"})
        await until(lambda: met)
        (failed,) = met
        assert (failed.id, failed.queue, failed.task) == (job.id, "q", "pay")
        assert (failed.error_type, failed.error, failed.payload) == (
            "ValueError",
            "no money",
            {"card": "4242"},
        )
        await until(lambda: client.llen(Keys(prefix, "q").completed) == 1)
        follower = (await app.queue("q").jobs(State.COMPLETED)).items[0]
    assert follower.payload["payload"] == {"card": "***"}, "what was masked stays masked"


async def test_a_follower_that_fails_itself_starts_no_other(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q", attempts=1, on_failed="b")
    async def a(x: Any) -> None:
        raise ValueError("a")

    @app.task(queue="q", attempts=1, on_failed="a")
    async def b(x: Any) -> None:
        raise ValueError("b")

    async with working(app):
        await a.enqueue(1)
        await until(lambda: client.zcard(Keys(prefix, "q").failures) == 2)
        await asyncio.sleep(0.2)
    counts = await app.queue("q").counts()
    assert (counts.failed, counts.waiting, counts.active) == (2, 0, 0)


async def test_a_job_whose_workers_crash_is_followed_as_well(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    client.hset(keys.followers, "t", "mend")
    await app.enqueue("q", "t", {"n": "ü\n"})
    async with app.client.store.pool.links() as links:
        await app.client.store.delivery.join(links, ["q"])
        for _ in range(app.settings.crash_limit):
            await app.client.store.delivery.fetch(links, "q", "w", 1)
            await app.client.store.recovery.reclaim(links, "q", "w", None)
    (follower,) = (await app.queue("q").jobs(State.WAITING)).items
    assert (follower.task, follower.payload["error_type"]) == ("mend", "Crashed")
    assert follower.payload["payload"] == {"n": "ü\n"}


@ON_ONE_SERVER
async def test_jobs_are_followed_also_when_the_server_had_lost_what_was_to_follow(
    app: App, client: redis.Redis, prefix: str
) -> None:
    def upgrade(payload: Any, from_version: int) -> Any:
        raise AssertionError("no older version of the task has sent it")

    @app.task(queue="q", version=2, upgrade=upgrade)
    async def mend(failed: FailedJob) -> None: ...

    @app.task(queue="q", attempts=1, on_failed="mend")
    async def pay(x: int) -> None:
        raise ValueError("no money")

    keys = Keys(prefix, "q")
    async with working(app):
        await until(lambda: client.exists(keys.workers))
        client.delete(keys.followers, keys.workers)  # as after a restart without its file
        await until(lambda: client.exists(keys.followers))
        await pay.enqueue(1)
        await until(lambda: client.llen(keys.completed) == 1)


@pytest.mark.parametrize("name", ["", 5, "t"])
def test_a_follower_that_cannot_be_is_refused_where_the_task_is_declared(app: App, name: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"on_failed|cannot name a task"):

        @app.task(on_failed=name)
        async def t(x: int) -> None: ...


@ON_ONE_SERVER
async def test_a_follower_is_of_the_group_of_the_job_that_failed_and_waits_in_its_line(app: App) -> None:
    met: list[str] = []

    @app.task(queue="q")
    async def mend(failed: FailedJob) -> None:
        met.append(failed.id)

    @app.task(queue="q", attempts=1, on_failed="mend", group="{tenant}")
    async def pay(x: dict[str, str]) -> None:
        raise ValueError("no money")

    await app.queue("q").group("acme/eu").limit(concurrency=1)
    async with working(app):
        jobs = await pay.enqueue_many([{"tenant": "acme/eu"}] * 3)
        await until(lambda: len(met) == 3)
        assert sorted(met) == sorted(job.id for job in jobs)
        await until(lambda: _is_empty(app))
        (follower, *_) = (await app.queue("q").jobs(State.COMPLETED)).items
    assert (follower.task, follower.group) == ("mend", "acme/eu")


async def _is_empty(app: App) -> bool:
    counts, status = await app.queue("q").counts(), await app.queue("q").group("acme/eu").status()
    return counts.completed == 3 and (status.waiting, status.active) == (0, 0)
