"""Partitions: one queue over several sets of keys, which is one queue to whoever uses it."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
import redis

from streamq import (
    App,
    ConfigurationError,
    Context,
    JobNotFound,
    KeyInUse,
    Limit,
    PartitionsChanging,
    State,
    UsageError,
    WrongState,
)
from streamq.model.keys import Keys
from streamq.model.partitions import Partitions
from streamq.model.places import home, partition, place_of, shown_id

from ..rig import ON_ONE_SERVER, until, working

QUEUE = "sms"


@pytest.fixture
async def parted(make_app: Callable[..., App]) -> AsyncIterator[App]:
    """An app with a queue of four partitions and a task in it that says what it was given."""
    app = make_app()

    @app.task(queue=QUEUE)
    async def send(ctx: Context, number: int) -> list[object]:
        if number < 0:
            raise ValueError("a number below zero")
        return [ctx.queue, ctx.job_id, number]

    async with app:
        app.queue(QUEUE, partitions=4)
        yield app


def numbers(ids: list[str]) -> Counter[str]:
    """How many ids tell each partition."""
    return Counter(place_of(QUEUE, job_id)[0] for job_id in ids)


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


async def test_a_queue_that_draws_from_a_shared_limit_is_told_what_its_own_limit_means(
    parted: App, caplog: pytest.LogCaptureFixture
) -> None:
    queue = parted.queue(QUEUE)
    await queue.limit(shared="provider")
    await queue.limit(concurrency=3)
    assert "hold in each partition alone, as it draws from a shared limit too" in caplog.text


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


# -- how many ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, -1, 65, 2.0, True, "4", None])
async def test_a_number_that_cannot_be_is_refused_in_one_sentence(app: App, count: object) -> None:
    if count is not None:
        with pytest.raises(ConfigurationError, match=r"is not possible: use a whole number from 1 to 64"):
            app.queue(QUEUE, partitions=count)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"is not possible: use a whole number from 1 to 64"):
        await app.queue(QUEUE).partition(count)  # type: ignore[arg-type]
    assert (await app.queue(QUEUE).partitions()).count == 1


@pytest.mark.parametrize("name", ["sms#1", "sms#", "#1", "sms#x"])
async def test_a_partition_is_no_queue_of_its_own(app: App, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a queue"):
        app.queue(name)
    with pytest.raises(ConfigurationError, match="cannot name a queue"):
        await app.enqueue(name, "t", 1)


async def test_code_makes_more_of_them_and_never_fewer_and_an_operator_goes_before(
    make_app: Callable[..., App],
) -> None:
    for declared, kept in ((4, 4), (2, 4), (6, 6)):
        async with make_app() as app:
            assert (await app.queue(QUEUE, partitions=declared).partitions()).count == kept
            with pytest.raises(ConfigurationError, match=f"it was declared with {declared}"):
                app.queue(QUEUE, partitions=9)
    async with make_app() as app:
        assert (await app.queue(QUEUE).partition(3)).count == 3
    async with make_app() as app:
        assert (await app.queue(QUEUE, partitions=8).partitions()).count == 3


async def test_of_two_who_change_it_at_once_one_is_told_so(
    app: App, make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    await app.enqueue_many(QUEUE, "t", range(50), group="g")
    async with make_app() as other:
        said = await asyncio.gather(
            app.queue(QUEUE).partition(4), other.queue(QUEUE).partition(7), return_exceptions=True
        )
    (done,) = [each for each in said if isinstance(each, Partitions)]
    (refused,) = [each for each in said if isinstance(each, PartitionsChanging)]
    assert f"on its way from 1 to {done.count} partitions" in str(refused)
    assert (await app.queue(QUEUE).partitions()).count == done.count
    assert (await app.queue(QUEUE).partition(done.count)).count == done.count, "it is so already"


# -- while jobs come and run ---------------------------------------------------------------------------------------


class Ledger:
    """Producers of groups and keys in several apps, and what was done in which order."""

    def __init__(self, make_app: Callable[..., App], groups: int = 12) -> None:
        self.groups, self.done, self.running = groups, list[tuple[str, int]](), Counter[str]()
        self.twice = 0
        self.apps = [make_app() for _ in range(3)]
        self.worker = make_app(concurrency=30)
        self._numbers = itertools.count()

        @self.worker.task(queue=QUEUE)
        async def work(ctx: Context, number: int) -> None:
            group = str(ctx.group)
            self.running[group] += 1
            self.twice += self.running[group] > 1
            await asyncio.sleep(0.003)
            self.done.append((group, number))
            self.running[group] -= 1

        self.worker.limit(QUEUE, groups=Limit(concurrency=1))

    async def produce(self, until_: asyncio.Event) -> int:
        """Each group by one producer at a time, in order."""
        sent = 0
        while not until_.is_set():
            for at in range(self.groups):
                app = self.apps[at % len(self.apps)]
                await app.enqueue(QUEUE, "work", next(self._numbers), group=f"g{at}")
                sent += 1
                await asyncio.sleep(0.002)  # so that a group has no job at times, and may move
        return sent

    def out_of_order(self) -> list[str]:
        """The groups of which a job was done before one that was sent earlier."""
        by_group: dict[str, list[int]] = {}
        for group, number in self.done:
            by_group.setdefault(group, []).append(number)
        return [group for group, those in by_group.items() if those != sorted(those)]


async def test_groups_keep_their_order_while_partitions_come_and_go(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.duties.mover.EVERY", 0.2)
    ledger, ends = Ledger(make_app), asyncio.Event()
    async with (
        ledger.worker,
        ledger.apps[0],
        ledger.apps[1],
        ledger.apps[2],
        working(ledger.worker, concurrency=30),
    ):
        producing = asyncio.create_task(ledger.produce(ends))
        queue = ledger.apps[0].queue(QUEUE)
        for count in (4, 7, 2):
            await asyncio.sleep(0.3)
            await until(lambda: is_settled(queue), 30)
            await queue.partition(count)
        await asyncio.sleep(0.5)
        ends.set()
        sent = await producing
        await until(lambda: len(ledger.done) >= sent, 30)
    assert len(ledger.done) == sent, "none is lost, and none repeated"
    assert ledger.out_of_order() == []
    assert ledger.twice == 0, "a group has one home at a time"


async def is_settled(queue: object) -> bool:
    return (await queue.partitions()).phase == "settled"  # type: ignore[attr-defined,no-any-return]


async def test_a_group_that_has_jobs_and_a_key_that_is_taken_stay_where_they_are(
    app: App, make_app: Callable[..., App]
) -> None:
    queue = app.queue(QUEUE)
    grouped = [await app.enqueue(QUEUE, "t", n, group=f"g{n}", key=f"k{n}") for n in range(10)]
    keyed = [await app.enqueue(QUEUE, "t", n, key=f"u{n}") for n in range(10)]
    assert (await queue.partition(8)).phase == "moving"
    async with make_app() as other:
        for n, job in enumerate(grouped):
            again = await other.enqueue(QUEUE, "t", n, group=f"g{n}", key=f"k{n}")
            assert (again.id, again.disposition) == (job.id, "existing")
            more = await other.enqueue(QUEUE, "t", n, group=f"g{n}:part")
            assert place_of(QUEUE, more.id)[0] == QUEUE
        for n, job in enumerate(keyed):
            assert (await other.enqueue(QUEUE, "t", n, key=f"u{n}")).id == job.id
        fresh = [(await other.enqueue(QUEUE, "t", n, group=f"new{n}")).id for n in range(40)]
    assert len(numbers(fresh)) == 8


async def test_a_group_moves_when_its_last_job_is_gone_and_the_change_is_over(
    parted: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.duties.mover.EVERY", 0.2)
    queue = parted.queue(QUEUE)
    jobs = [await parted.enqueue(QUEUE, "send", n, group=f"g{n}") for n in range(30)]
    await queue.partition(8)
    async with working(parted):
        for job in jobs:
            await job.result(10)
        await until(lambda: is_settled(queue), 20)
        after = [await parted.enqueue(QUEUE, "send", n, group=f"g{n}") for n in range(30)]
        for job in after:
            await job.result(10)
    homes = [place_of(QUEUE, job.id)[0] for job in after]
    assert homes == [partition(QUEUE, home(f"gg{n}", 8)) for n in range(30)]


async def test_partitions_that_are_too_many_drain_and_no_job_is_lost(parted: App) -> None:
    queue = parted.queue(QUEUE)
    jobs = await parted.enqueue_many(QUEUE, "send", range(400))
    its = await queue.partition(1)
    assert (its.count, its.reach) == (1, 4)
    new = [await parted.enqueue(QUEUE, "send", n) for n in range(4)]
    assert set(numbers([job.id for job in new])) == {QUEUE}
    assert (await queue.counts()).waiting == 404
    async with working(parted):
        for job in (*jobs, *new):
            await job.result(20)
    assert (await queue.counts()).completed == 404


async def test_a_worker_that_runs_serves_partitions_that_are_new(parted: App) -> None:
    async with working(parted):
        await parted.queue(QUEUE).partition(9)
        jobs = [await parted.enqueue(QUEUE, "send", n) for n in range(18)]
        assert set(numbers([job.id for job in jobs]).values()) == {2}
        for job in jobs:
            await job.result(10)


async def test_what_was_told_to_a_queue_is_told_to_partitions_that_are_new(parted: App) -> None:
    queue = parted.queue(QUEUE)
    await queue.pause(task="send", reason="not now")
    await queue.limit(concurrency=7, max_waiting=100)
    await queue.keep(completed=5)
    await queue.group("vip").limit(concurrency=2)
    await queue.partition(9)
    told = await queue.steering()
    assert (list(told.tasks), told.max_waiting, told.retention.queue.completed) == (["send"], 100, 5)
    jobs = [await parted.enqueue(QUEUE, "send", n) for n in range(9)]
    assert {(await job.status()).state for job in jobs} == {State.HELD}
    for number in range(9):
        name = partition(QUEUE, number)
        status = await parted.client.store.groups.status(name, "vip")
        assert status.own.concurrency == 2
        assert (await parted.client.store.groups.limits(name))["queue"].told.concurrency == 7


async def test_a_queue_is_removed_with_all_its_partitions(
    parted: App, client: redis.Redis, prefix: str
) -> None:
    await parted.enqueue_many(QUEUE, "send", range(400))
    await parted.queue(QUEUE).remove(purge=True)
    left = [
        key for number in range(4) for key in client.scan_iter(Keys(prefix, partition(QUEUE, number)).pattern)
    ]
    assert left == []
    assert sum((await parted.queue(QUEUE).counts()).asdict().values()) == 0


@ON_ONE_SERVER
async def test_the_first_plain_job_costs_a_queue_without_partitions_no_command_more(
    app: App, client: redis.Redis
) -> None:
    await app.enqueue("plain", "t", 1)
    before = client.info("commandstats")
    for n in range(20):
        await app.enqueue("plain", "t", n)
    after = client.info("commandstats")
    sent = {name: row["calls"] - before.get(name, {"calls": 0})["calls"] for name, row in after.items()}
    assert {name: count for name, count in sent.items() if count and name != "cmdstat_info"} == {
        "cmdstat_evalsha": 20, "cmdstat_xadd": 20, "cmdstat_set": 20,
    }  # fmt: skip
