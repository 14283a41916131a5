"""Partitions: one queue over several sets of keys, which is one queue to whoever uses it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from streamq import (
    App,
    JobNotFound,
    KeyInUse,
    State,
    UsageError,
    WrongState,
)
from streamq.model.places import home, partition, place_of, shown_id

from ..rig import until, working
from .parted import QUEUE, numbers

# -- names, ids and homes ------------------------------------------------------------------------------------------


def test_an_id_tells_its_partition_and_the_first_has_none() -> None:
    assert partition("sms", 0) == "sms"
    assert place_of("sms", "5-0") == ("sms", "5-0")
    assert shown_id("sms#13", "5-0") == "5-0.13"
    assert place_of("sms", "5-0.13") == ("sms#13", "5-0")
    assert shown_id("sms#13", "5-0:existing") == "5-0.13:existing"


def test_with_more_partitions_only_as_many_homes_change_as_must() -> None:
    names = [f"g{number}" for number in range(10_000)]
    before, after = [home(name, 4) for name in names], [home(name, 5) for name in names]
    moved = [then for now, then in zip(before, after, strict=True) if now != then]
    assert set(moved) == {4}
    assert 1_700 < len(moved) < 2_300, "a fifth"
    assert min(Counter(before).values()) > 2_200


# -- new jobs ------------------------------------------------------------------------------------------------------


async def test_jobs_go_round_and_their_ids_say_where_they_are(parted: App) -> None:
    alone = [(await parted.enqueue(QUEUE, "send", number)).id for number in range(8)]
    assert set(numbers(alone).values()) == {2}
    together = [job.id for job in await parted.enqueue_many(QUEUE, "send", range(1_000))]
    assert set(numbers(together).values()) == {250}
    assert (await parted.queue(QUEUE).counts()).waiting == 1_008
    assert await parted.queues() == [QUEUE]


async def test_ids_of_many_come_in_the_order_of_their_jobs(parted: App) -> None:
    jobs = await parted.enqueue_many(QUEUE, "send", range(3_000), group="g")
    jobs += await parted.enqueue_many(QUEUE, "send", range(3_000))
    async with working(parted, concurrency=100):
        results = [await job.result(20) for job in jobs[::37]]
    assert [result[2] for result in results] == [*range(3_000), *range(3_000)][::37]


async def test_a_group_has_one_partition_with_all_its_parts_and_its_order(parted: App) -> None:
    ids = [(await parted.enqueue(QUEUE, "send", n, group=f"tenant:{n % 5}")).id for n in range(20)]
    assert len(numbers(ids)) == 1
    others = [(await parted.enqueue(QUEUE, "send", n, group=f"g{n}")).id for n in range(40)]
    assert len(numbers(others)) == 4


async def test_a_key_is_unique_and_with_a_group_within_that(parted: App) -> None:
    first, second = [await parted.enqueue(QUEUE, "send", n, key="k") for n in range(2)]
    assert (second.id, second.disposition) == (first.id, "existing")
    grouped = [await parted.enqueue(QUEUE, "send", n, key="k", group=f"g{n % 20}") for n in range(40)]
    assert Counter(job.disposition for job in grouped) == {"created": 20, "existing": 20}
    assert {(await job.status()).key for job in (first, *grouped)} == {"k"}
    found = await parted.queue(QUEUE).search("key:k", limit=200)
    assert len(found.items) == 21
    only = await parted.queue(QUEUE).search("key:k group:g3")
    assert [job.id for job in only.items] == [grouped[3].id]


async def test_a_producer_that_knows_of_no_partitions_learns_of_them_by_its_first_job(
    parted: App, make_app: Callable[..., App]
) -> None:
    await parted.queue(QUEUE).partitions()
    async with make_app() as other:
        ids = [(await other.enqueue(QUEUE, "send", n)).id for n in range(8)]
        ids += [(await other.enqueue(QUEUE, "send", n, group=f"g{n}")).id for n in range(8)]
        many = [job.id for job in await other.enqueue_many(QUEUE, "send", range(400))]
    assert len(numbers(ids)) == 4
    assert set(numbers(many).values()) == {100}
    assert (await parted.queue(QUEUE).counts()).asdict()["waiting"] == 408


async def test_a_request_that_comes_again_is_made_once(parted: App) -> None:
    ids = []
    for _ in range(3):
        async with parted.once(QUEUE, "request", b"body") as request:
            ids.append((await request.enqueue("send", 1, group="g7")).id)
    assert len(set(ids)) == 1
    assert sum((await parted.queue(QUEUE).counts()).asdict().values()) == 1


# -- one queue -----------------------------------------------------------------------------------------------------


async def test_a_worker_serves_all_and_a_handler_knows_the_queue_and_the_id(parted: App) -> None:
    jobs = [await parted.enqueue(QUEUE, "send", n) for n in range(8)]
    async with working(parted) as worker:
        assert [await job.result(10) for job in jobs] == [[QUEUE, job.id, n] for n, job in enumerate(jobs)]
        (info,) = await parted.workers()
        assert info.queues == (QUEUE,)
        assert worker.queues == (QUEUE,)
    assert (await parted.queue(QUEUE).counts()).completed == 8


async def test_what_is_asked_of_a_job_finds_it_wherever_it_is(parted: App) -> None:
    queue = parted.queue(QUEUE)
    jobs = [await parted.enqueue(QUEUE, "send", n, delay=60) for n in range(8)]
    assert [(await queue.get(job.id)).id for job in jobs] == [job.id for job in jobs]
    assert [(await parted.find(job.id))[0].queue for job in jobs] == [QUEUE] * 8
    assert (await queue.why(jobs[3].id)).code == "due-later"
    changed = await queue.change_priority(jobs[1].id, "high")
    assert (changed.id, changed.priority) == (jobs[1].id, "high")
    assert (await jobs[2].cancel("no more")).state is State.CANCELLED
    assert (await jobs[2].retry()).id == jobs[2].id
    await jobs[4].cancel()
    clone = await queue.retry(jobs[4].id, payload=7)
    assert (clone.clone_of, (await jobs[4].status()).cloned_as) == (jobs[4].id, clone.id)
    with pytest.raises(WrongState, match=jobs[4].id):
        await queue.change_priority(jobs[4].id, "low")
    await jobs[4].delete()
    with pytest.raises(JobNotFound, match=f"queue 'sms' has no job '{jobs[4].id}'"):
        await jobs[4].status()


async def test_a_key_in_use_is_told_as_it_was_given(parted: App) -> None:
    first = await parted.enqueue(QUEUE, "send", 1, key="k", group="g2", delay=60)
    await first.cancel()
    second = await parted.enqueue(QUEUE, "send", 1, key="k", group="g2", delay=60)
    with pytest.raises(KeyInUse, match=f"'k' is now that of job {second.id}"):
        await first.retry()


async def test_pages_have_each_job_once_in_the_order_of_its_time(parted: App) -> None:
    jobs = [await parted.enqueue(QUEUE, "send", n, delay=60 + n) for n in range(30)]
    queue, ids, cursor = parted.queue(QUEUE), [], None
    for _ in itertools.count():
        page = await queue.jobs(State.DELAYED, limit=7, cursor=cursor)
        ids += [job.id for job in page.items]
        if (cursor := page.next) is None:
            break
    assert ids == [job.id for job in jobs]
    async with working(parted):
        await queue.promote_all("state:delayed")
        await until(lambda: done(queue, 30))
    ended, cursor = [], None
    for _ in itertools.count():
        page = await queue.jobs(State.COMPLETED, limit=4, cursor=cursor)
        ended += page.items
        if (cursor := page.next) is None:
            break
    assert sorted(job.id for job in ended) == sorted(ids)
    times = [job.finished_at for job in ended]
    late = [after - before for before, after in itertools.pairwise(times) if before and after]
    assert max(late) < timedelta(seconds=0.5), "the latest first, but for what has moved meanwhile"
    with pytest.raises(UsageError, match="is not a cursor"):
        await queue.jobs(State.COMPLETED, cursor="-,-,-,-,-")


async def done(queue: object, count: int) -> bool:
    return (await queue.counts()).completed == count  # type: ignore[attr-defined,no-any-return]


async def test_search_counts_and_operations_are_of_the_whole_queue(parted: App) -> None:
    queue = parted.queue(QUEUE)
    await parted.enqueue_many(QUEUE, "send", range(400), delay=60)
    found, cursor = set[str](), None
    for _ in itertools.count():
        page = await queue.search("task:send", limit=90, cursor=cursor)
        found |= {job.id for job in page.items}
        if (cursor := page.next) is None:
            break
    assert len(found) == 400
    assert (await queue.count_all("cancel", "task:send")).count == 400
    async with working(parted):
        operation = await queue.cancel_all("task:send", "not now")
        record = await operation.wait(20)
        assert (record.state, record.done, record.total) == ("done", 400, 400)
        assert [each.id for each in await parted.operations()] == [operation.id]
        await (await queue.purge()).wait(20)
    assert sum((await queue.counts()).asdict().values()) == 0


async def test_failures_and_statistics_are_told_together(parted: App) -> None:
    await parted.enqueue_many(QUEUE, "send", [-1, 1] * 100, attempts=1)
    queue = parted.queue(QUEUE)
    async with working(parted):
        await until(lambda: ended(queue, 200))
        await until(lambda: counted(queue, 200), 10)
    (kind,) = await queue.failures()
    assert (kind.queue, kind.failed, kind.count, sum(kind.trend)) == (QUEUE, 100, 100, 100)
    assert (await queue.get(kind.sample)).state is State.FAILED
    assert [each.fingerprint for each in await parted.failures()] == [kind.fingerprint]
    told = (await parted.statistics())[QUEUE]
    assert (told.queue, told.total.completed, told.total.failed) == (QUEUE, 100, 100)
    assert (await parted.totals())[QUEUE].outcomes["completed"] == 100
    overall = await parted.overall()
    assert list(overall.queues) == [QUEUE]


async def ended(queue: object, count: int) -> bool:
    counts = await queue.counts()  # type: ignore[attr-defined]
    return bool(counts.completed + counts.failed == count)


async def counted(queue: object, count: int) -> bool:
    figures = (await queue.statistics()).total  # type: ignore[attr-defined]
    return bool(figures.completed + figures.failed == count)


async def test_who_follows_a_failed_job_is_told_its_queue_and_its_id(make_app: Callable[..., App]) -> None:
    app, told = make_app(), list[dict[str, object]]()

    @app.task(queue=QUEUE)
    async def mourn(failed: dict[str, object]) -> None:
        told.append(failed)

    @app.task(queue=QUEUE, on_failed="mourn", attempts=1)
    async def fail(number: int) -> None:
        raise ValueError(number)

    app.queue(QUEUE, partitions=4)
    async with app, working(app):
        jobs = [await app.enqueue(QUEUE, "fail", n) for n in range(8)]
        await until(lambda: len(told) == 8)
    assert {(each["queue"], each["id"]) for each in told} == {(QUEUE, job.id) for job in jobs}


async def test_a_pause_and_a_bound_hold_for_all_of_it(parted: App) -> None:
    queue = parted.queue(QUEUE)
    await queue.pause("provider down")
    await queue.limit(max_waiting=100)
    told = await queue.steering()
    assert told.paused is not None
    assert told.max_waiting == 100
    jobs = [await parted.enqueue(QUEUE, "send", n) for n in range(8)]
    async with working(parted):
        await asyncio.sleep(0.5)
        assert (await queue.counts()).waiting == 8
        assert await queue.resume()
        for job in jobs:
            await job.result(10)


async def test_a_limit_of_the_queue_is_of_all_partitions_together(parted: App) -> None:
    queue, running, most = parted.queue(QUEUE), 0, 0

    @parted.task(queue=QUEUE)
    async def slow(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    await queue.limit(concurrency=3)
    jobs = await parted.enqueue_many(QUEUE, "slow", range(60))
    async with working(parted, concurrency=50):
        for job in jobs:
            await job.result(20)
    assert 1 <= most <= 3
    assert (await queue.limits())["queue"].told.concurrency == 3
    assert await parted.shared_limits() == []


async def test_records_are_kept_of_all_partitions_together(parted: App) -> None:
    queue = parted.queue(QUEUE)
    await queue.keep(completed=20)
    async with working(parted, concurrency=50):
        await parted.enqueue_many(QUEUE, "send", range(400))
        await until(lambda: idle(queue))
    assert (await queue.counts()).completed == 20
    assert (await queue.retention()).queue.completed == 20


async def idle(queue: object) -> bool:
    counts = await queue.counts()  # type: ignore[attr-defined]
    return bool(counts.completed and not counts.waiting and not counts.active)


async def test_a_job_that_is_retried_by_hand_runs_where_it_was(parted: App) -> None:
    queue = parted.queue(QUEUE)
    jobs = [await parted.enqueue(QUEUE, "send", -1, group=f"g{n}", attempts=1) for n in range(20)]
    async with working(parted):
        await until(lambda: ended(queue, 20))
        await queue.partition(9)
        for job in jobs:
            assert (await job.retry()).id == job.id
        await until(lambda: ended(queue, 20))


async def test_a_group_is_paused_limited_and_looked_at_wherever_it_is(parted: App) -> None:
    queue = parted.queue(QUEUE)
    jobs = [await parted.enqueue(QUEUE, "send", n, group=f"g{n % 8}") for n in range(40)]
    await queue.group("g3").pause("asked for")
    await queue.group("g4").limit(concurrency=1)
    async with working(parted):
        for n, job in enumerate(jobs):
            if n % 8 != 3:
                await job.result(10)
        status = await queue.group("g3").status()
        assert (status.waiting, status.active, status.paused is not None) == (5, 0, True)
        assert [group.name for group in await queue.groups()] == ["g3"]
        assert (await queue.group("g4").status()).own.concurrency == 1
        assert await queue.group("g3").resume()
        for job in jobs:
            await job.result(10)


async def test_schedules_run_in_the_partition_of_their_group(parted: App) -> None:
    made = await parted.schedules.put("often", task="send", queue=QUEUE, payload=5, every="1s", group="g3")
    assert made.schedule.queue == QUEUE
    async with working(parted):
        await until(lambda: done_at_least(parted, 1), 10)
        (record,) = await parted.schedules.list()
        assert record.schedule.queue == QUEUE
        job = await parted.schedules.run("often")
        assert (await job.result(10))[:2] == [QUEUE, job.id]
        assert place_of(QUEUE, job.id)[0] == partition(QUEUE, home("gg3", 4))
        await parted.schedules.remove("often")


async def done_at_least(app: App, count: int) -> bool:
    return (await app.queue(QUEUE).counts()).completed >= count


async def test_a_job_is_watched_and_tailed_under_its_own_id(parted: App) -> None:
    tail = parted.tail([QUEUE], kinds=["end"], states=["completed"])
    assert (await anext(tail)).queue == QUEUE, "it is heard"
    jobs = [await parted.enqueue(QUEUE, "send", n) for n in range(4)]
    async with working(parted):
        events = [event async for event in jobs[2].watch()]
        assert events[-1].id == jobs[2].id  # type: ignore[union-attr]
        told = [await anext(tail) for _ in jobs]
    await tail.aclose()
    assert {each.job_id for each in told} == {job.id for job in jobs}
