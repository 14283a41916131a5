"""A group, and a key, has one place at a time, whatever those who send its jobs know of a change of partitions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from streamq import App, Context, Limit, Unique
from streamq.model.places import place_of

from ..rig import ON_ONE_SERVER, until, working
from .parted import QUEUE

pytestmark = ON_ONE_SERVER


def places(jobs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """The partitions of each group, of pairs of a group and an id."""
    found: dict[str, set[str]] = defaultdict(set)
    for group, job_id in jobs:
        found[group].add(place_of(QUEUE, job_id)[0])
    return found


async def test_many_jobs_of_a_group_that_stays_keep_their_order(make_app: Callable[..., App]) -> None:
    done: list[int] = []
    app = make_app()

    @app.task(queue=QUEUE)
    async def work(ctx: Context, number: int) -> None:
        done.append(number)

    app.limit(QUEUE, groups=Limit(concurrency=1))
    async with app:
        await app.enqueue(QUEUE, "work", -1, group="g4")
        assert (await app.queue(QUEUE).partition(4)).staying == 1
        await app.enqueue_many(QUEUE, "work", range(1_100), group="g4")
        async with working(app):
            await until(lambda: len(done) == 1_101, 30)
    assert done == list(range(-1, 1_100))


async def test_jobs_that_are_on_their_way_while_partitions_change_are_of_one_place(
    app: App, make_app: Callable[..., App]
) -> None:
    """They were placed by one number, and are not sent under another."""
    await app.enqueue(QUEUE, "t", 0, group="stays", delay=600)
    await app.queue(QUEUE).partition(16)
    async with make_app() as other:
        for turn, count in enumerate((1, 8, 3, 16, 8, 1)):
            await app.queue(QUEUE).counts()
            groups = [f"g{turn}-{n}" for n in range(50)]
            sending = asyncio.gather(
                *[app.enqueue(QUEUE, "t", n, group=group) for n, group in enumerate(groups * 2)]
            )
            await asyncio.sleep(0.002)
            await asyncio.gather(
                sending,
                other.queue(QUEUE).partition(count),
                *[app.queue(QUEUE).partitions() for _ in range(5)],
            )
            found = places(zip(groups * 2, [job.id for job in sending.result()], strict=True))
            assert {len(where) for where in found.values()} == {1}


async def test_a_key_that_outlives_the_jobs_of_its_group_draws_none_of_them_back(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.duties.placer.EVERY", 0.2)
    app = make_app()

    @app.task(queue=QUEUE)
    async def work(number: int) -> int:
        return number

    once = Unique(window=3600)
    async with app, working(app):
        groups = [f"g{n}" for n in range(8)]
        first = [await app.enqueue(QUEUE, "work", 1, group=g, key=f"{g}:key", unique=once) for g in groups]
        for job in first:
            await job.result(10)
        await app.queue(QUEUE).partition(4)
        await until(lambda: _only_keys_stay(app), 20)
        jobs = []
        for group, before in zip(groups, first, strict=True):
            again = await app.enqueue(QUEUE, "work", 1, group=group, key=f"{group}:key", unique=once)
            assert (again.id, again.disposition) == (before.id, "existing"), "within its window"
            behind = await app.enqueue(QUEUE, "work", 1, group=group, key=f"{group}:other", unique=once)
            jobs += [(group, behind.id), (group, (await app.enqueue(QUEUE, "work", 2, group=group)).id)]
    found = places(jobs)
    assert {len(where) for where in found.values()} == {1}
    assert len(set.union(*found.values())) > 1, "the groups have moved"


async def _only_keys_stay(app: App) -> bool:
    its = await app.queue(QUEUE).partitions()
    return its.staying == 8 and all(each.startswith("key ") for each in its.examples)


async def test_a_change_that_nobody_knows_of_any_more_keeps_no_job_out(parted: App) -> None:
    """The server that was told of it first is lost, with a replica that lagged; others have heard of it."""
    partitions = parted.client.store.partition
    await parted.queue(QUEUE).partition(4)
    _, its = await partitions._read(QUEUE)
    await parted.queue(QUEUE).partition(5)
    after, _ = await partitions._read(QUEUE)
    assert await partitions._write(QUEUE, after, replace(its, told=True))
    jobs = [await parted.enqueue(QUEUE, "send", n, group=f"g{n}") for n in range(10)]
    assert len({job.id for job in jobs}) == 10
    assert (await parted.queue(QUEUE).partitions()).count == 4
