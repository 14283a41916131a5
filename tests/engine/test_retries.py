"""Retries by many at once, and ids: a job is found under its own, wherever it has moved, and under no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, Job, JobNotFound, JobRecord, State, WrongState
from streamq.model.keys import GROUP, Keys
from streamq.model.outcomes import FAILED
from streamq.model.states import allowed_in
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER, census, until, working


async def _failed(app: App, client: redis.Redis, queue: str = "q") -> Job[Any]:
    """A job that has failed, without a worker."""
    keys = app.client.store.keys(queue)
    job = await app.enqueue(queue, "t", "here")
    link = app.client.store.links()
    await app.client.store.delivery.join(link, [queue])
    client.xreadgroup(GROUP, "w", {keys.ready: ">"})
    body = b'f0 0 w\nt\n{"attempt":1}\n{"type":"E","message":"m"}\n"here"'
    await app.client.store.outcomes.settle(
        link, {queue: [Settlement(FAILED, 1, job.id.encode(), job.id, body)]}
    )
    await link.close()
    return job


async def test_of_20_who_retry_at_once_one_moves_the_job_and_the_others_are_told_its_state(
    app: App, client: redis.Redis, prefix: str
) -> None:
    job = await _failed(app, client)
    said = await asyncio.gather(*[app.queue("q").retry(job.id) for _ in range(20)], return_exceptions=True)
    (moved,) = [each for each in said if isinstance(each, JobRecord)]
    assert (moved.id, moved.state, moved.payload, moved.attempt) == (job.id, State.WAITING, "here", 0)
    losers = [each for each in said if each is not moved]
    assert {(type(each), each.state, each.allowed) for each in losers} == {
        (WrongState, "waiting", allowed_in("waiting"))
    }
    assert client.xlen(Keys(prefix, "q").ready) == 1
    census(client, prefix, "q").check()


@ON_ONE_SERVER
async def test_a_retry_is_answered_beside_a_worker_that_runs_the_job_at_once_and_forgets_it(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    """Its record is gone within a millisecond of its end: who has moved it has it all the same."""
    async with make_app(keep_completed=0) as app:
        ran = []

        @app.task(queue="q", name="t", attempts=1)
        async def work(what: str) -> None:
            ran.append(what)

        jobs = [await _failed(app, client) for _ in range(20)]
        async with working(app):
            retries = [app.queue("q").retry(job.id) for job in jobs for _ in range(5)]
            said = await asyncio.gather(*retries, return_exceptions=True)
            await until(lambda: len(ran) == len(jobs))
        moved = [each.id for each in said if isinstance(each, JobRecord)]
        assert sorted(moved) == sorted(job.id for job in jobs)
        others = [each for each in said if not isinstance(each, JobRecord)]
        assert {type(each) for each in others} <= {WrongState, JobNotFound}
        states = {each.state for each in others if isinstance(each, WrongState)}
        assert states <= {"waiting", "active"}
    census(client, prefix, "q").check()


@ON_ONE_SERVER
@pytest.mark.parametrize("state", ["waiting", "active", "delayed", "held", "completed", "unreadable"])
async def test_a_job_that_is_not_failed_is_not_retried_and_its_state_is_told(
    app: App, client: redis.Redis, prefix: str, state: str
) -> None:
    keys, job = Keys(prefix, "q"), await app.enqueue("q", "t", 1, delay=60 if state == "delayed" else None)
    if state == "active":
        await app.client.store.delivery.join(link := app.client.store.links(), ["q"])
        await link.close()
        client.xreadgroup(GROUP, "w", {keys.ready: ">"})
    elif state in ("held", "completed", "unreadable"):
        client.delete(keys.ready)
        where = keys.parked if state == "held" else keys.finished
        client.hset(where, job.id, {"completed": "c0 0 w\nt\n\n1\n1"}.get(state, "t\n\n1"))
    with pytest.raises(WrongState, match=f"it is {state}") as told:
        await app.queue("q").retry(job.id)
    assert told.value.state == state
    with pytest.raises(JobNotFound):
        await app.queue("q").retry("5-5")


class Moving:
    """Jobs that move about, and all the ids of entries they ever lay in."""

    def __init__(self, app: App, client: redis.Redis, queue: str) -> None:
        self.app, self.client, self.queue = app, client, queue
        self.store, self.keys, self.link = (
            app.client.store,
            app.client.store.keys(queue),
            app.client.store.links(),
        )
        self.jobs: list[str] = []
        self.seen: set[str] = set()

    def note(self) -> None:
        for lane in self.keys.lanes:
            self.seen |= {entry for entry, _ in self.client.xrange(lane)}

    async def enqueue(self) -> None:
        self.jobs.append((await self.app.enqueue(self.queue, "t", len(self.jobs))).id)

    async def delay(self) -> None:
        self.jobs.append((await self.app.enqueue(self.queue, "t", len(self.jobs), delay=0.001)).id)

    async def promote(self) -> None:
        await self.store.delayed.promote(self.link, [self.queue], 10)

    async def fetch(self) -> None:
        await self.store.delivery.fetch(self.link, self.queue, "w", 2)

    async def reclaim(self) -> None:
        await self.store.recovery.reclaim(self.link, self.queue, "w", None)

    async def release(self) -> None:
        await self.store.delivery.release(
            self.link, self.queue, await self.store.delivery.pending_in(self.link, self.queue, "w")
        )

    async def requeue(self) -> None:
        for job_id in self.client.zrange(self.keys.failures, 0, 0):
            await self.app.queue(self.queue).retry(job_id)

    async def check(self) -> None:
        queue = self.app.queue(self.queue)
        for number, job_id in enumerate(self.jobs):
            assert (await queue.get(job_id)).id == job_id
            assert (await queue.get(job_id)).payload == number
        for strange in self.seen - set(self.jobs):
            with pytest.raises(JobNotFound):
                await queue.get(strange)
            with pytest.raises(JobNotFound):
                await queue.retry(strange)
        told = await self.app.client.store.jobs.endings(self.queue, sorted(self.seen | set(self.jobs)))
        assert {job_id for job_id, said in told.items() if said is not False} == set(self.jobs)


MOVES = ("enqueue", "delay", "promote", "fetch", "reclaim", "release", "requeue")


@ON_ONE_SERVER
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.sampled_from(MOVES), min_size=3, max_size=14))
async def test_only_its_own_id_finds_a_job_whatever_its_moves(
    make_app: Callable[..., App], client: redis.Redis, moves: list[str]
) -> None:
    """All lookups agree: get, retry, and the look of those who wait."""
    async with make_app() as app:
        moving = Moving(app, client, "q")
        await moving.store.delivery.join(moving.link, ["q"])
        for move in ("enqueue", *moves):
            await getattr(moving, move)()
            moving.note()
        await moving.check()
        await moving.link.close()
    client.flushdb()
