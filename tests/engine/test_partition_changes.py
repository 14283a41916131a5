"""How many partitions a queue has, and that it loses and mixes up nothing while that changes."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import pytest
import redis

from streamq import (
    App,
    ConfigurationError,
    Context,
    Limit,
    PartitionsChanging,
    State,
    UsageError,
)
from streamq.model.keys import Keys
from streamq.model.partitions import WHOLE, Partitions
from streamq.model.places import home, partition, place_of

from ..rig import ON_ONE_SERVER, until, working
from .parted import QUEUE, numbers

pytestmark = ON_ONE_SERVER

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


async def test_a_worker_tells_what_its_code_declares_before_it_serves(
    make_app: Callable[..., App], app: App
) -> None:
    async with make_app() as other:

        @other.task(queue=QUEUE)
        async def send(number: int) -> int:
            return number

        other.queue(QUEUE, partitions=3)
        async with working(other) as worker:
            await worker.is_ready.wait()
            jobs = [await app.enqueue(QUEUE, "send", n) for n in range(6)]
            assert set(numbers([job.id for job in jobs]).values()) == {2}
            for job in jobs:
                await job.result(10)


async def test_after_its_removal_and_after_the_loss_of_all_keys_it_has_its_partitions_again(
    make_app: Callable[..., App], app: App, client: redis.Redis
) -> None:
    async with make_app() as other:
        queue = other.queue(QUEUE, partitions=3)
        await other.enqueue(QUEUE, "t", 1)
        await queue.remove(purge=True)
        assert (await queue.partitions()).count == 3
        client.delete(app.client.store.shared.partitions)
        other.client.store.partition._read_at = 0.0  # as half a minute later
        ids = [(await other.enqueue(QUEUE, "t", n)).id for n in range(6)]
        assert set(numbers(ids).values()) == {2}
        assert (await app.queue(QUEUE).partitions()).count == 3


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
    monkeypatch.setattr("streamq.duties.placer.EVERY", 0.2)
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


async def test_a_change_whose_process_died_is_ended_by_whoever_meets_it(
    app: App, make_app: Callable[..., App], client: redis.Redis
) -> None:
    job = await app.enqueue(QUEUE, "t", 1, group="g5", key="k")
    client.hset(app.client.store.shared.partitions, QUEUE, WHOLE.changed(4, told=True, now=5).written())
    async with make_app() as other:
        assert (await other.enqueue(QUEUE, "t", 2, group="g5", key="k")).id == job.id
        assert (await other.queue(QUEUE).partitions()).phase == "moving"


async def test_a_group_moves_when_its_last_job_is_gone_and_the_change_is_over(
    parted: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.duties.placer.EVERY", 0.2)
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


async def test_the_first_plain_job_costs_a_queue_without_partitions_no_command_more(
    app: App, client: redis.Redis
) -> None:
    await app.enqueue("plain", "t", 1)
    before = client.info("commandstats")
    for n in range(20):
        await app.enqueue("plain", "t", n)
    after = client.info("commandstats")
    sent = {name: row["calls"] - before.get(name, {"calls": 0})["calls"] for name, row in after.items()}
    data = {"evalsha", "xadd", "set", "get", "exists", "hget", "hmget", "hgetall", "hexists", "smembers"}
    used = {name.removeprefix("cmdstat_"): count for name, count in sent.items() if count}
    assert {name: count for name, count in used.items() if name in data} == {
        "evalsha": 20,
        "xadd": 20,
        "set": 20,
    }
