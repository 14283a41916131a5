"""A change of partitions may begin before the last one is over: what stays does so through all, and can be told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from streamq import App, Context, Limit, PartitionsChanging
from streamq.model.places import home, partition, place_of

from ..rig import ON_ONE_SERVER, until, working
from .parted import QUEUE

pytestmark = ON_ONE_SERVER


def homes(count: int) -> list[str]:
    """The partitions where groups ``g0``, ``g1`` and so on are at home."""
    return [partition(QUEUE, home(f"gg{n}", count)) for n in range(8)]


async def test_a_deployment_with_a_larger_number_need_not_wait_until_the_last_change_is_over(
    make_app: Callable[..., App],
) -> None:
    first, second, third = (make_app() for _ in range(3))
    async with first, second, third:
        for n in range(8):  # some of these groups stay
            await first.enqueue(QUEUE, "t", n, group=f"g{n}", delay=600)
        for app, count in ((second, 4), (third, 8)):
            app.queue(QUEUE, partitions=count)
            await app.enqueue(QUEUE, "t", 2, group="h", delay=600)
            its = await app.queue(QUEUE).partitions()
            assert (its.count, its.phase) == (count, "moving")
        assert (await first.queue(QUEUE).counts()).delayed == 10


@pytest.mark.parametrize("changes", [(4, 8), (4, 1), (8, 4, 8), (4, 2, 16, 3), (4, 1, 4, 1, 4)])
async def test_groups_and_keys_that_are_not_gone_stay_through_all_changes(
    app: App, make_app: Callable[..., App], changes: tuple[int, ...]
) -> None:
    jobs = {}
    for before, count in zip((1, *changes), changes, strict=False):  # some begin before each of them
        for n in range(8):
            job = await app.enqueue(QUEUE, "t", n, group=f"g{before}-{n}", key=f"k{before}-{n}", delay=600)
            jobs[f"g{before}-{n}", f"k{before}-{n}"] = job.id
            job = await app.enqueue(QUEUE, "t", n, key=f"u{before}-{n}", delay=600)
            jobs["", f"u{before}-{n}"] = job.id
        await app.queue(QUEUE).partition(count)
    async with make_app() as other:
        for (group, key), job_id in jobs.items():
            again = await other.enqueue(QUEUE, "t", 1, group=group or None, key=key, delay=600)
            assert (again.id, again.disposition) == (job_id, "existing")
            if group:
                more = await other.enqueue(QUEUE, "t", 1, group=f"{group}:part", delay=600)
                assert place_of(QUEUE, more.id)[0] == place_of(QUEUE, job_id)[0]


async def test_of_too_many_changes_one_is_refused_that_says_where_it_may_go_back_to(app: App) -> None:
    queue = app.queue(QUEUE)
    await app.enqueue(QUEUE, "t", 1, group="g", delay=600)
    for count in (4, 8, 16, 32):
        await queue.partition(count)
    with pytest.raises(PartitionsChanging, match=r"since 4 changes: .* or go back to 1 or 4 or 8 or 16"):
        await queue.partition(64)
    assert (await queue.partitions()).count == 32
    assert (await queue.partition(4)).count == 4


async def test_it_is_told_how_much_stays_and_what_does(parted: App) -> None:
    queue = parted.queue(QUEUE)
    jobs = [await parted.enqueue(QUEUE, "send", n, group=f"g{n}", delay=600) for n in range(8)]
    its = await queue.partition(16)
    stay = {f"group g{n}" for n, (old, new) in enumerate(zip(homes(4), homes(16), strict=True)) if old != new}
    assert its.staying == len(stay)
    assert set(its.examples) <= stay
    assert len(its.examples) == min(len(stay), 5)
    for job in jobs:
        await job.cancel()
    async with working(parted):
        await until(lambda: _is_settled(parted), 20)
    its = await queue.partitions()
    assert (its.staying, its.examples) == (0, ())


async def _is_settled(app: App) -> bool:
    return (await app.queue(QUEUE).partitions()).phase == "settled"


async def test_groups_keep_their_order_while_changes_follow_each_other(make_app: Callable[..., App]) -> None:
    done: list[tuple[str, int]] = []
    running: set[str] = set()
    worker, producers = make_app(concurrency=30), [make_app() for _ in range(3)]

    @worker.task(queue=QUEUE)
    async def work(ctx: Context, number: int) -> None:
        group = str(ctx.group)
        assert group not in running
        running.add(group)
        await asyncio.sleep(0.003)
        done.append((group, number))
        running.remove(group)

    worker.limit(QUEUE, groups=Limit(concurrency=1))
    ends, sent = asyncio.Event(), 0

    async def produce() -> None:
        nonlocal sent
        while not ends.is_set():
            for n in range(12):
                await producers[n % 3].enqueue(QUEUE, "work", sent, group=f"g{n}")
                sent += 1
                await asyncio.sleep(0.002)

    async with worker, producers[0], producers[1], producers[2], working(worker, concurrency=30):
        producing = asyncio.create_task(produce())
        for count in (4, 7, 2, 16, 7, 4, 2):
            await asyncio.sleep(0.3)
            await producers[0].queue(QUEUE).partition(count)
        await asyncio.sleep(0.3)
        ends.set()
        await producing
        await until(lambda: len(done) >= sent, 30)
    assert len(done) == sent, "none is lost, and none repeated"
    by_group: dict[str, list[int]] = {}
    for group, number in done:
        by_group.setdefault(group, []).append(number)
    assert [group for group, those in by_group.items() if those != sorted(those)] == []


# -- schedules -----------------------------------------------------------------------------------------------------


async def test_a_schedule_goes_where_its_group_goes_and_keeps_what_it_has_done(
    parted: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.duties.placer.EVERY", 0.2)
    queue = parted.queue(QUEUE)
    for n in range(8):
        await parted.schedules.put(f"s{n}", task="send", payload=n, every="1d", group=f"g{n}")
    ran = [await parted.schedules.run(f"s{n}") for n in range(8)]
    assert [place_of(QUEUE, job.id)[0] for job in ran] == homes(4)
    planned = {each.name: each.next_at for each in await parted.schedules.list()}
    await parted.schedules.pause("s3", reason="not now")
    assert (await queue.partition(16)).phase == "moving", "their jobs wait"
    again = [await parted.schedules.run(f"s{n}") for n in range(8)]
    assert [place_of(QUEUE, job.id)[0] for job in again] == homes(4), "behind the jobs of their groups"
    async with working(parted):
        for job in (*ran, *again):
            await job.result(10)
        await until(lambda: _is_settled(parted), 20)
    last = [await parted.schedules.run(f"s{n}") for n in range(8)]
    assert [place_of(QUEUE, job.id)[0] for job in last] == homes(16)
    listed = {each.name: each for each in await parted.schedules.list()}
    assert {name: each.next_at for name, each in listed.items() if name != "s3"} == {
        name: at for name, at in planned.items() if name != "s3"
    }
    assert [listed[f"s{n}"].runs for n in range(8)] == [3] * 8
    assert listed["s3"].paused is not None
    assert listed["s3"].paused.reason == "not now"


async def test_a_schedule_whose_group_has_no_job_keeps_no_change_from_its_end(parted: App) -> None:
    for n in range(8):
        await parted.schedules.put(f"s{n}", task="send", payload=n, every="1d", group=f"g{n}")
    assert (await parted.queue(QUEUE).partition(16)).phase == "settled"
    ran = [await parted.schedules.run(f"s{n}") for n in range(8)]
    assert [place_of(QUEUE, job.id)[0] for job in ran] == homes(16)


async def test_a_schedule_whose_jobs_wait_for_each_other_keeps_no_change_from_its_end(parted: App) -> None:
    await parted.queue(QUEUE).partition(4)
    for n in range(6):
        await parted.schedules.put(f"s{n}", task="send", payload=n, every="1d", overlap="queue")
        for _ in range(2):
            await parted.schedules.run(f"s{n}")
    assert (await parted.queue(QUEUE).partition(5)).phase == "settled"
    async with working(parted):
        await until(lambda: _has_completed(parted, 12), 20)


async def _has_completed(app: App, count: int) -> bool:
    return (await app.queue(QUEUE).counts()).completed == count


async def test_a_schedule_that_came_to_an_old_home_too_late_runs_in_the_new_one(parted: App) -> None:
    """As one does that was put by a process that did not know of the change yet."""
    await parted.queue(QUEUE).partition(16)
    made = parted.schedules.made("s", task="send", payload=1, queue=None, options={"every": 1, "group": "g1"})
    old, new = homes(4)[1], homes(16)[1]
    assert old != new
    store = parted.client.store.schedules
    await parted.client.store.server.read_clock()
    await store.claim("s", old, None)
    assert await store.put(replace(made, queue=old), 0, parted.client.store.clock.now())
    async with working(parted):
        jobs = await until(lambda: _completed(parted), 20)
    assert {place_of(QUEUE, job.id)[0] for job in jobs} == {new}


async def _completed(app: App) -> list[object]:
    return (await app.queue(QUEUE).jobs("completed")).items  # type: ignore[return-value]


async def test_schedules_leave_partitions_that_are_too_many(
    parted: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.duties.placer.EVERY", 0.2)
    for n in range(12):
        await parted.schedules.put(f"s{n}", task="send", payload=n, every="1d")
    jobs = [await parted.schedules.run(f"s{n}") for n in range(12)]
    await parted.queue(QUEUE).partition(1)
    async with working(parted):
        for job in jobs:
            await job.result(10)
        await until(lambda: _are_in_the_first(parted), 20)
    ran = [await parted.schedules.run(f"s{n}") for n in range(12)]
    assert {place_of(QUEUE, job.id)[0] for job in ran} == {QUEUE}


async def _are_in_the_first(app: App) -> bool:
    counts = [await app.client.store.schedules.count(partition(QUEUE, n)) for n in range(4)]
    return counts == [12, 0, 0, 0]
