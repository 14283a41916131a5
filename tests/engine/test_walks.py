"""Walks over lists that change meanwhile: a cursor names a place, so each job that was there all along is met once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamq import App, Backoff, JobRecord, State
from streamq.duties.pruner import Pruner
from streamq.model.keys import GROUP, Keys
from streamq.model.outcomes import COMPLETED, FAILED, MARKS
from streamq.redis.links import Links
from streamq.store.outcomes import Settlement

from ..rig import ON_ONE_SERVER, census, until, working

PAGES = 300
"""More than any walk here has."""

KEPT = 30
"""Completed jobs kept, and failed ones, where a test wants them to be forgotten meanwhile."""


class House:
    """A queue whose jobs the test moves by hand."""

    def __init__(self, app: App, client: redis.Redis, link: Links, queue: str) -> None:
        self.app, self.client, self.link, self.queue = app, client, link, queue
        self.keys = Keys(app.settings.prefix, queue)
        self.touched: set[str] = set()

    async def end(self, kind: str, count: int) -> None:
        """So many new jobs end."""
        await self.app.client.store.delivery.join(self.link, [self.queue])
        entry = {"task": "t", "payload": "1", "headers": ""}
        entries = [self.client.xadd(self.keys.ready, entry) for _ in range(count)]
        self.client.xreadgroup(GROUP, "w", {self.keys.ready: ">"})
        record = (
            MARKS[kind] + b'5 0 w\nt\n{"history":[{"type":"E","message":"m"}]}\n{"type":"E","message":"m"}\n1'
        )
        settled = [Settlement(kind, 1, entry.encode(), entry, record) for entry in entries]
        assert await self.app.client.store.outcomes.settle(self.link, {self.queue: settled}) == []

    async def complete(self, count: int) -> None:
        await self.end(COMPLETED, count)

    async def fail(self, count: int) -> None:
        await self.end(FAILED, count)

    async def retry(self, at: int) -> None:
        """One of the failed jobs waits again, and fails again."""
        failed = self.client.zrange(self.keys.failures, 0, -1)
        if failed:
            job_id = failed[at % len(failed)]
            self.touched.add(job_id)
            await self.app.client.store.jobs.requeue(self.queue, job_id)
            entry = self.client.hget(self.keys.moved, job_id).split()[1]
            self.client.xreadgroup(GROUP, "w", {self.keys.ready: ">"})
            again = Settlement(FAILED, 1, entry.encode(), job_id, b"f9 0 w\nt\n\n{}\n1")
            assert await self.app.client.store.outcomes.settle(self.link, {self.queue: [again]}) == []

    async def delay(self, due: int) -> None:
        await self.app.enqueue(self.queue, "t", 1, delay=60 + due % 5)

    async def promote(self, at: int) -> None:
        """One of the delayed jobs is due."""
        delayed = self.client.zrange(self.keys.delayed, 0, -1)
        if delayed:
            self.touched.add(delayed[at % len(delayed)])
            self.client.zadd(self.keys.delayed, {delayed[at % len(delayed)]: 1})
            await self.app.client.store.delayed.promote(self.link, [self.queue], 10)

    def ids(self, state: State) -> set[str]:
        if state is State.COMPLETED:
            return set(self.client.lrange(self.keys.completed, 0, -1))
        of = self.keys.failures if state is State.FAILED else self.keys.delayed
        return set(self.client.zrange(of, 0, -1))


Step = tuple[str, int]
STEP = st.one_of(
    st.tuples(st.sampled_from(["complete", "fail"]), st.integers(1, 8)),
    st.tuples(st.sampled_from(["retry", "promote", "delay"]), st.integers(0, 100)),
)


async def _walk(
    app: App, queue: str, state: State, limit: int, between: Callable[[], Awaitable[object]]
) -> list[JobRecord]:
    seen: list[JobRecord] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await app.queue(queue).jobs(state, limit=limit, cursor=cursor)
        seen += page.items
        if (cursor := page.next) is None:
            return seen
        await between()
    pytest.fail(f"the walk has not ended after {PAGES} pages")


@given(
    state=st.sampled_from([State.COMPLETED, State.FAILED, State.DELAYED]),
    limit=st.integers(1, 7),
    before=st.lists(STEP, max_size=8),
    turns=st.lists(st.lists(STEP, max_size=3), max_size=6),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_walk_meets_each_job_that_was_there_all_along_exactly_once(
    make_app: Callable[..., App], client: redis.Redis, state: State, limit: int, before: list[Step],
    turns: list[list[Step]],
) -> None:  # fmt: skip
    """Whatever ends, is retried, forgotten, parked and promoted meanwhile."""
    async with make_app(keep_completed=KEPT, keep_failed=KEPT) as app:
        link, rest = app.client.store.links(), iter(turns)
        house = House(app, client, link, f"q{client.incr(app.settings.prefix + ':n')}")
        client.delete(app.settings.prefix + ":n")

        async def change(steps: list[Step]) -> None:
            for step, number in steps:
                await getattr(house, step)(number)

        for name in ("complete", "fail", "delay"):
            await change([(name, 10)] * 2)
        await change(before)
        house.touched.clear()
        there = house.ids(state)
        seen = [job.id for job in await _walk(app, house.queue, state, limit, lambda: change(next(rest, [])))]
        all_along = (there & house.ids(state)) - house.touched
        counted = {job_id: seen.count(job_id) for job_id in all_along}
        assert set(counted.values()) <= {1}, counted
        met_once = set(seen) - house.touched
        assert len([job_id for job_id in seen if job_id in met_once]) == len(met_once)
        for key in client.scan_iter(f"{app.settings.prefix}:{{{house.queue}}}:*", count=1000):
            client.delete(key)
        await link.close()


async def _declared(app: App, fails: dict[str, bool]) -> None:
    @app.task(queue="q", attempts=1, backoff=Backoff(0, 0))
    async def work(number: int) -> int:
        if fails["now"]:
            raise ValueError(number)
        return number


@pytest.mark.parametrize(("count", "limit"), [(500, 200), (60, 20)])
async def test_a_walk_that_retries_all_that_failed_retries_all(app: App, count: int, limit: int) -> None:
    fails = {"now": True}
    await _declared(app, fails)
    queue = app.queue("q")
    async with working(app, concurrency=50):
        await app.enqueue_many("q", "work", range(count))
        await until(lambda: _counted(app, failed=count))
        fails["now"] = False
        retried, cursor = 0, None
        while retried <= count:
            page = await queue.jobs(State.FAILED, limit=limit, cursor=cursor)
            for job in page.items:
                await queue.retry(job.id)
                retried += 1
            if (cursor := page.next) is None:
                break
        assert retried == count
        await until(lambda: _counted(app, completed=count, failed=0))


async def test_a_list_of_what_fails_meanwhile_shows_nothing_twice(
    make_app: Callable[..., App], client: redis.Redis
) -> None:
    async with make_app() as app:
        link = app.client.store.links()
        house = House(app, client, link, "q")
        await house.fail(400)
        await house.complete(400)
        for state, more in ((State.FAILED, house.fail), (State.COMPLETED, house.complete)):
            there = house.ids(state)
            seen = [job.id for job in await _walk(app, "q", state, 20, lambda more=more: more(23))]
            assert len(seen) == len(set(seen)) == 400
            assert set(seen) == there
        await link.close()


@ON_ONE_SERVER
@pytest.mark.parametrize("state", [State.DELAYED, State.FAILED])
async def test_of_jobs_of_one_moment_an_id_may_begin_another(
    app: App, client: redis.Redis, prefix: str, state: State
) -> None:
    """As ``…-1`` begins ``…-10``: a batch is born in one millisecond, and may be due or fail in one."""
    keys, ids = Keys(prefix, "q"), [f"1795449758578-{number}" for number in range(120)]
    client.hset(keys.parked, mapping=dict.fromkeys(ids, "t\n\n1"))
    client.hset(keys.finished, mapping=dict.fromkeys(ids, "f1 1 w\nt\n\n{}\n1"))
    of, other = (keys.delayed, keys.finished) if state is State.DELAYED else (keys.failures, keys.parked)
    client.zadd(of, dict.fromkeys(ids, 4e12))
    client.delete(other)

    async def gone() -> None:
        client.zrem(of, cursors.pop())  # what is left is found by its place, and not by its number

    cursors = ids[100:]
    seen = [job.id for job in await _walk(app, "q", state, 7, gone)]
    assert len(seen) == len(set(seen))
    assert set(seen) >= set(ids[:100])


async def test_a_place_that_was_trimmed_away_ends_the_walk(
    make_app: Callable[..., App], client: redis.Redis
) -> None:
    """Completed jobs are forgotten oldest first: what came after the place is gone too."""
    async with make_app(keep_completed=30) as app:
        link = app.client.store.links()
        house = House(app, client, link, "q")
        await house.complete(30)
        page = await app.queue("q").jobs(State.COMPLETED, limit=10)
        await house.complete(15)
        following = await app.queue("q").jobs(State.COMPLETED, limit=10, cursor=page.next)
        assert len(following.items) == 5
        await house.complete(30)
        assert (await app.queue("q").jobs(State.COMPLETED, limit=10, cursor=page.next)).items == []
        await link.close()


@ON_ONE_SERVER
async def test_a_place_is_found_however_many_ended_since(app: App, client: redis.Redis, prefix: str) -> None:
    keys = Keys(prefix, "q")
    for number in range(1, 61):
        client.hset(keys.finished, f"{number}-0", "c1 0 w\nt\n\n1\n1")
        client.rpush(keys.completed, f"{number}-0")
    page = await app.queue("q").jobs(State.COMPLETED, limit=20)
    for start in range(0, 35_000, 5_000):
        client.rpush(keys.completed, *[f"{number}-1" for number in range(start, start + 5_000)])
    following = await app.queue("q").jobs(State.COMPLETED, limit=200, cursor=page.next)
    assert [job.id for job in following.items] == [f"{number}-0" for number in range(40, 0, -1)]


async def test_jobs_of_one_due_time_are_listed_once_while_some_are_promoted(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    ids = [f"{number}-{number}" for number in range(1, 300)]
    client.zadd(keys.delayed, dict.fromkeys(ids, 2**41))
    client.hset(keys.parked, mapping=dict.fromkeys(ids, "t\n\n1"))
    order = client.zrange(keys.delayed, 0, -1)
    gone: list[str] = []

    async def promote() -> None:
        for at in (len(gone), 3 * len(gone) + 10, 150):
            gone.append(order[at])
            client.zrem(keys.delayed, order[at])

    seen = [job.id for job in await _walk(app, "q", State.DELAYED, 10, promote)]
    assert len(seen) == len(set(seen))
    assert set(ids) - set(gone) <= set(seen)


async def test_what_strangers_put_into_a_list_ends_no_walk(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    strange = {
        b"\xff\x00": float("-inf"),
        b"": 1.5,
        b"a b:%": 1e300,
        "5-5": 2**41,
        b"yy": float("inf"),
        b"zz": -3.0,
    }
    client.zadd(keys.delayed, strange)
    client.zadd(keys.failures, strange)
    client.rpush(keys.completed, *strange)
    client.hset(keys.parked, "5-5", "t\n\n1")
    for state, met in ((State.DELAYED, ["5-5"]), (State.FAILED, []), (State.COMPLETED, [])):
        assert [job.id for job in await _walk(app, "q", state, 1, lambda: asyncio.sleep(0))] == met


async def test_a_page_of_waiting_jobs_has_none_that_a_worker_took_meanwhile(
    app: App, client: redis.Redis, prefix: str
) -> None:
    jobs = [await app.enqueue("q", "t", number) for number in range(20)]
    page = await app.queue("q").jobs(State.WAITING, limit=5)
    link = app.client.store.links()
    await app.client.store.delivery.join(link, ["q"])
    await app.client.store.delivery.fetch(link, "q", "w", 12)
    following = await app.queue("q").jobs(State.WAITING, limit=50, cursor=page.next)
    assert [job.id for job in following.items] == [job.id for job in jobs[12:]]
    await link.close()


async def test_failed_jobs_of_the_version_before_are_listed_counted_and_retried(
    app: App, client: redis.Redis, prefix: str
) -> None:
    """They lay in a list; none is lost, and those that were retried since stay where they are."""
    keys, born = Keys(prefix, "q"), client.time()[0] * 1000 - 60_000
    ids = [f"{born + number}-0" for number in range(450)]
    for job_id in ids:
        client.hset(keys.finished, job_id, 'f50 0 w\nt\n\n{"type":"E","message":"m"}\n1')
        client.rpush(keys.failed, job_id)
    client.rpush(keys.failed, "9999-0")  # without a record
    assert (await app.queue("q").counts()).failed == 451
    await app.queue("q").retry(ids[7])
    await Pruner(app.client.store, lambda: ["q"]).once()
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"failed": 449, "waiting": 1}
    assert (await app.queue("q").counts()).failed == 449
    seen = [job.id for job in await _walk(app, "q", State.FAILED, 100, lambda: asyncio.sleep(0))]
    assert seen == [job_id for job_id in reversed(ids) if job_id != ids[7]]


async def _counted(app: App, **expected: int) -> Any:
    counts = (await app.queue("q").counts()).asdict()
    return all(counts[state] == number for state, number in expected.items())
