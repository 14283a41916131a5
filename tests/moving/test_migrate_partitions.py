"""A queue with partitions moves as a whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamq import App, QueueMoved
from streamq.moving.whole import Whole, by_queue
from streamq.noun_errors import MoveRefused

from ..clusters import Cluster
from ..rig import ON_ONE_SERVER, until, working
from ..servers import Server, binary_of

QUEUE = "sms"
pytestmark = ON_ONE_SERVER


def _app(url: str, done: list[int]) -> App:
    app = App(redis_url=url, beat=0.2, lease=2)

    @app.task(queue=QUEUE)
    async def work(number: int) -> None:
        done.append(number)

    return app


async def _move(source: App, target: App) -> Whole:
    store = source.client.store
    names = by_queue(await store.migrations.names())
    return Whole(store, target.client.store, QUEUE, names[QUEUE])


async def _is_told(here: App, job_id: str) -> None:
    """The server that it has left says where it went, whatever is asked, and lets it be removed."""
    queue = here.queue(QUEUE)
    for asked in (
        here.enqueue(QUEUE, "work", 1), queue.get(job_id), queue.jobs("waiting"), queue.pause(), queue.partition(9),
        queue.limit(concurrency=1),
    ):  # fmt: skip
        with pytest.raises(QueueMoved, match="moves to"):
            await asked
    await queue.remove()
    assert not await here.client.store.queues.names()


async def test_it_arrives_on_a_cluster_with_its_partitions_its_groups_and_its_ids(
    own_server: Callable[..., Server], server_kind: str
) -> None:
    binary = binary_of(server_kind)
    assert binary is not None
    done: list[int] = []
    with Cluster(binary) as cluster:
        here, there = _app(own_server().url, done), _app(cluster.url, done)
        async with here, there:
            await here.queue(QUEUE).partition(6)
            jobs = await here.enqueue_many(QUEUE, "work", range(300))
            grouped = [
                await here.enqueue(QUEUE, "work", 300 + n, group=f"g{n % 7}", key=f"k{n}") for n in range(70)
            ]
            before = await here.queue(QUEUE).counts()
            move = await _move(here, there)
            assert ((await move.planned()).phase, (await move.planned()).problem) == ("open", "")
            moved = await move.run()
            assert moved.counts["waiting"] + moved.counts["held"] == 370
            assert (await there.queue(QUEUE).partitions()).count == 6
            assert await there.queue(QUEUE).counts() == before
            await _is_told(here, jobs[-1].id)
            again = await there.enqueue(QUEUE, "work", 300, group="g0", key="k0")
            assert (again.id, again.disposition) == (grouped[0].id, "existing")
            assert (await there.queue(QUEUE).get(jobs[-1].id)).payload == 299
            await there.queue(QUEUE).resume()
            async with working(there):
                await until(lambda: len(done) == 370)
    assert sorted(done) == list(range(370))


async def test_a_move_of_some_partitions_goes_on_and_is_undone_only_before_any_has_arrived(
    own_server: Callable[..., Server],
) -> None:
    here, there = _app(own_server().url, []), _app(own_server().url, [])
    async with here, there:
        await here.queue(QUEUE).partition(3)
        await here.enqueue_many(QUEUE, "work", range(300))
        move = await _move(here, there)
        for name in ("sms", "sms#1", "sms#2"):
            await move._mover(name).begin()
        with pytest.raises(QueueMoved):
            await there.enqueue(QUEUE, "work", 1)
        await move.undo()
        assert (await here.queue(QUEUE).counts()).waiting == 300
        await there.client.store.partition.adopt(QUEUE, await here.queue(QUEUE).partitions())
        await move._mover("sms").run()
        with pytest.raises(MoveRefused, match="some of its partitions have arrived"):
            await move.undo()
        await move.run()
        assert (await there.queue(QUEUE).counts()).waiting == 300


async def test_it_does_not_move_while_its_partitions_change_or_are_others_there(
    own_server: Callable[..., Server],
) -> None:
    here, there = _app(own_server().url, []), _app(own_server().url, [])
    async with here, there:
        await here.enqueue(QUEUE, "work", 1, group="g")
        await here.queue(QUEUE).partition(3)
        move = await _move(here, there)
        with pytest.raises(MoveRefused, match="its partitions are being changed"):
            await move.run()
    other = _app(own_server().url, [])
    async with other, there:
        await other.queue(QUEUE).partition(3)
        await there.queue(QUEUE).partition(4)
        await other.enqueue(QUEUE, "work", 1)
        with pytest.raises(MoveRefused, match="it has 4 partitions there, and 3 here"):
            await (await _move(other, there)).run()


async def test_a_move_that_was_killed_when_some_partitions_had_begun_is_undone(
    own_server: Callable[..., Server],
) -> None:
    here, there = _app(own_server().url, []), _app(own_server().url, [])
    async with here, there:
        await here.queue(QUEUE).partition(3)
        await here.enqueue_many(QUEUE, "work", range(300))
        before = await here.queue(QUEUE).counts()
        move = await _move(here, there)
        with pytest.raises(MoveRefused, match="no move of it is under way"):
            await move.undo()
        await move._mover("sms#1").begin()
        await move.undo()
        assert await here.queue(QUEUE).counts() == before
        assert (await here.queue(QUEUE).steering()).paused is None
        await move.run()
        assert await there.queue(QUEUE).counts() == before
