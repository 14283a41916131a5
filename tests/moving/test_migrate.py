"""``streamq migrate``: a queue moves to another server with all it has, and no job is lost or run twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from streamq import App, QueueMoved
from streamq.moving.mover import Mover

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, until, working
from ..sentinels import Watched
from ..servers import Server, binary_of
from .rich import GROUPS, QUEUE, Anywhere, declared, fill, known


async def test_a_queue_arrives_with_all_it_has(own_server: Callable[..., Server]) -> None:
    """Its jobs with their histories, order, delays, keys and groups; limits, pauses, schedules, retention, records."""
    here, there = declared(own_server().url), declared(own_server().url, "other")
    async with here[0] as source, there[0] as target:
        await fill(source)
        before = await known(source)
        for name in (QUEUE, "opt-outs"):
            moved = await Mover(source.client.store, target.client.store, name).run()
            assert moved.keys
        assert await known(target) == before
        assert here[1] == [("-", -1)]
        await target.queue(QUEUE).resume()
        async with working(target):
            await until(lambda: len(there[1]) == 20 * (len(GROUPS) + 2) + 1)
        for group in GROUPS:
            assert [number for name, number in there[1] if name == group] == list(range(20)), "in their order"
        assert await source.client.store.queues.names() == set()


@ON_ONE_SERVER
async def test_who_is_late_at_the_old_address_is_told_where_the_queue_is(
    own_server: Callable[..., Server],
) -> None:
    here, there = declared(own_server().url), declared(own_server().url)
    async with here[0] as source, there[0] as target:
        await source.enqueue(QUEUE, "work", {"line": "", "number": 1})
        await Mover(source.client.store, target.client.store, QUEUE).run()
        for options in ({}, {"delay": 60}, {"priority": "high"}, {"group": "a"}, {"key": "k"}):
            with pytest.raises(QueueMoved, match="moves to"):
                await source.enqueue(QUEUE, "work", {"line": "", "number": 2}, **options)
        with pytest.raises(QueueMoved, match="moves to"):
            async with source.once(QUEUE, "request", b"body") as request:
                await request.enqueue("work", {"line": "", "number": 2})
        assert (await target.queue(QUEUE).counts()).waiting == 1


@ON_ONE_SERVER
@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
async def test_a_queue_moves_from_one_server_to_others_and_back(
    own_server: Callable[..., Server], server_kind: str, kind: str
) -> None:
    binary = binary_of(server_kind)
    assert binary is not None
    with Cluster(binary) if kind == "cluster" else Watched(binary, replicas=1) as others:
        here, there = declared(own_server().url), declared(others.url)
        async with here[0] as source, there[0] as target:
            await fill(source)
            before = await known(source)
            await _move_all(source, target)
            assert await known(target) == before
            await _move_all(target, source)
            assert await known(source) == before
            assert await target.client.store.queues.names() == set()
            assert (await target.queue(QUEUE).counts()).waiting == 0


async def _move_all(source: App, target: App) -> None:
    for name in (QUEUE, "opt-outs"):
        await Mover(source.client.store, target.client.store, name).run()


@ON_ONE_SERVER
async def test_jobs_that_run_end_where_they_are_and_workers_at_both_addresses_run_each_job_once(
    own_server: Callable[..., Server],
) -> None:
    """Producers and workers at the old address all the while; those at the new one begin before the move."""
    here, there = declared(own_server().url), declared(own_server().url)
    async with here[0] as source, there[0] as target, working(source), working(target):
        producer = Anywhere(source, target)
        producing = asyncio.create_task(producer.send(2_000))
        await until(lambda: len(producer.sent) > 200)
        await Mover(source.client.store, target.client.store, QUEUE).run()
        await producing
        await until(lambda: len(here[1]) + len(there[1]) >= 2_000, 20)
    ran = Counter(number for _, number in here[1] + there[1])
    assert (sorted(ran), set(ran.values())) == (list(range(2_000)), {1})
    assert here[1]
    assert there[1]
