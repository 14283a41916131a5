"""Steering: a queue or a task in it is paused, and how many jobs may wait is bounded."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import redis

from streamq import App, QueueFull, Unique, UsageError
from streamq.model.clock import host_now
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working


async def test_more_jobs_than_may_wait_are_refused_before_they_are_added(app: App) -> None:
    queue = app.queue("q")
    assert await queue.limit(max_waiting=3)
    await app.enqueue_many("q", "t", range(3))
    with pytest.raises(QueueFull, match="3 jobs wait, at most 3 may"):
        await app.enqueue("q", "t", 4)
    with pytest.raises(QueueFull):
        await app.enqueue("q", "t", 4, priority="high")
    await app.enqueue("q", "t", 5, delay=60)  # waits for its time, and not in the queue
    assert (await queue.counts()).waiting == 3
    assert await queue.limit(max_waiting=None)
    assert not await queue.limit(max_waiting=None)
    await app.enqueue("q", "t", 4)


@ON_ONE_SERVER
async def test_a_full_queue_takes_what_would_not_wait(app: App) -> None:
    await app.queue("q").limit(max_waiting=1)
    first = await app.enqueue("q", "t", 1, key="k")
    assert (await app.enqueue("q", "t", 1, key="k")).id == first.id
    follows = Unique(conflict="queue")
    many = await app.enqueue_many("q", "t", range(3), key="k", unique=follows, priority="high")
    assert {job.disposition for job in many} == {"following"}
    assert (await app.enqueue("q", "t", 1, key="d", unique=Unique(debounce=5))).disposition == "created"
    await app.enqueue("q", "t", 1, key="w", unique=Unique(window=0.001), delay=60)
    await asyncio.sleep(0.005)
    for key in ("new", "w"):
        with pytest.raises(QueueFull):
            await app.enqueue("q", "t", 1, key=key)
    assert (await app.queue("q").counts()).waiting == 1


@ON_ONE_SERVER
async def test_a_long_call_says_how_many_jobs_were_added_before_the_queue_was_full_and_sends_the_others(
    app: App,
) -> None:
    queue = app.queue("q")
    await queue.limit(max_waiting=1_200)
    with pytest.raises(QueueFull, match="Of this call 1,000 jobs were added") as full:
        await app.enqueue_many("q", "t", range(2_000))
    assert full.value.sent == 1_000
    await queue.limit(max_waiting=2_000)
    jobs = await full.value.repeat()
    assert (len({job.id for job in jobs}), (await queue.counts()).waiting) == (2_000, 2_000)


@ON_ONE_SERVER
async def test_callers_who_are_too_many_together_are_taken_as_far_as_there_is_room(app: App) -> None:
    queue = app.queue("q")
    await queue.limit(max_waiting=20)
    await app.enqueue("q", "t", 0)
    ends = await asyncio.gather(
        *[app.enqueue_many("q", "t", range(n)) for n in (1, 15, 10, 3, 1)], return_exceptions=True
    )
    assert [isinstance(end, QueueFull) for end in ends] == [False, False, True, False, True]
    assert (await queue.counts()).waiting == 20


async def test_a_producer_that_runs_knows_a_new_bound_within_a_second(app: App, make_app: Any) -> None:
    await app.enqueue("q", "t", 1)
    async with make_app() as operator:
        await operator.queue("q").limit(max_waiting=1)
    refused = False
    async with asyncio.timeout(5):
        while not refused:
            try:
                await app.enqueue("q", "t", 2)
            except QueueFull:
                refused = True
            await asyncio.sleep(0.05)
    assert (await app.queue("q").counts()).waiting < 30


async def test_jobs_of_a_paused_task_are_born_held_and_wait_in_their_order_when_it_is_resumed(
    app: App,
) -> None:
    queue = app.queue("q")
    await queue.pause("provider down", task="sms", by="ada")
    jobs = await app.enqueue_many("q", "sms", range(450), key=None)
    other = await app.enqueue("q", "mail", 1)
    counts = await queue.counts()
    assert (counts.held, counts.waiting) == (450, 1)
    assert (await queue.steering()).tasks["sms"].reason == "provider down"
    assert (await other.status()).state.value == "waiting"
    async with app.client.store.pool.links() as links:
        resume = app.client.store.steering.resume_held
        assert (await resume(links, "q"))[:2] == (0, False)
        assert await queue.resume(task="sms")
        assert [(await resume(links, "q"))[:2] for _ in range(10)] == [(50, True)] * 9 + [(0, False)]
    page = await queue.jobs("waiting", limit=200)  # type: ignore[arg-type]
    assert [job.id for job in page.items] == [other.id, *[job.id for job in jobs[:199]]]
    assert (await queue.counts()).held == 0


async def test_a_pause_ends_at_its_time(app: App, client: redis.Redis, prefix: str) -> None:
    queue = app.queue("q")
    await app.client.store.steering.pause("q", None, "", "", "@1")
    await queue.pause(task="t", until="1h")
    told = await queue.steering()
    assert told.paused is None
    assert told.tasks["t"].until is not None
    await app.enqueue("q", "t", 1)
    assert (await queue.counts()).held == 1
    assert set(client.hkeys(Keys(prefix, "q").steering)) == {"paused", "task:t"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"reason": "a\nb"}, "one line"), ({"reason": "x" * 501}, "500 characters"), ({"until": -1}, "above 0"),
        ({"until": "soon"}, "write seconds"), ({"task": ""}, "cannot name a task"), ({"by": 5}, "one line"),
        ({"until": host_now() - timedelta(seconds=1)}, "in the past"), ({"task": print}, "its name, as text"),
    ],
)  # fmt: skip
async def test_a_pause_that_cannot_be_is_refused_and_changes_nothing(
    app: App, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await app.queue("q").pause(**arguments)
    assert (await app.queue("q").steering()).paused is None


@pytest.mark.parametrize("bound", [-1, 1.5, "3", True, 2**60])
async def test_a_bound_that_cannot_be_is_refused(app: App, bound: Any) -> None:
    with pytest.raises(UsageError, match="whole number"):
        await app.queue("q").limit(max_waiting=bound)


async def test_a_paused_queue_starts_nothing_and_goes_on_where_it_was(app: App) -> None:
    seen: list[int] = []

    @app.task(queue="q")
    async def t(x: int) -> None:
        seen.append(x)

    queue = app.queue("q")
    async with working(app):
        await (await t.enqueue(0)).result(timeout=5)
        await queue.pause("a rest")
        await asyncio.sleep(0.1)  # the worker hears of it within milliseconds
        jobs = await t.enqueue_many(range(1, 6))
        high = await t.enqueue(9, priority="critical")
        await asyncio.sleep(0.7)  # longer than any of its reads that do not wait for a job
        assert seen == [0]
        assert (await queue.counts()).waiting == 6
        await queue.resume()
        for job in [*jobs, high]:
            await job.result(timeout=5)
    assert sorted(seen) == [0, 1, 2, 3, 4, 5, 9]


@ON_ONE_SERVER
async def test_a_paused_task_starts_no_job_under_a_name_that_it_had_before(app: App, make_app: Any) -> None:
    seen: list[int] = []

    @app.task(queue="q", aliases=("before",))
    async def t(x: int) -> None:
        seen.append(x)

    async with make_app() as old:
        job = await old.enqueue("q", "before", 1)
    queue = app.queue("q")
    await queue.pause(task="t")
    async with working(app):
        await until(lambda: _counted(queue, "held"))
        assert (await queue.get(job.id)).task == "t"
        await queue.resume(task="t")
        await until(lambda: seen)
    assert seen == [1]


async def _counted(queue: Any, state: str) -> int:
    return int((await queue.counts()).asdict()[state])


async def test_a_job_of_a_paused_task_that_is_met_is_held_once_and_not_charged(
    app: App, client: redis.Redis, prefix: str
) -> None:
    seen: list[int] = []

    @app.task(queue="q", attempts=1)
    async def t(x: int) -> None:
        seen.append(x)

    @app.task(queue="q")
    async def other(x: int) -> None: ...

    queue = app.queue("q")
    jobs = await t.enqueue_many(range(20))
    await queue.pause(task="t")
    async with working(app):
        await (await other.enqueue(1)).result(timeout=5)
        await until(lambda: client.hlen(Keys(prefix, "q").parked) == 20)
        assert not seen
        await queue.resume(task="t")
        for job in jobs:
            await job.result(timeout=5)
    assert sorted(seen) == list(range(20))
    assert (await jobs[0].status()).attempt == 1
