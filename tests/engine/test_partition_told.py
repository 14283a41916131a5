"""What a queue is told holds in all of its partitions, whenever they come, go and come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from streamq import App, Queue, QueueFull
from streamq.model.places import partition

from ..rig import ON_ONE_SERVER
from .parted import QUEUE

pytestmark = ON_ONE_SERVER

ACTS: dict[str, Callable[[Queue], Awaitable[Any]]] = {
    "pause": lambda queue: queue.pause("why"),
    "pause of a task": lambda queue: queue.pause("why", task="send"),
    "keep": lambda queue: queue.keep(completed=7),
    "keep of a task": lambda queue: queue.keep(task="send", completed=7),
    "limit": lambda queue: queue.limit(concurrency=3),
    "limit of a task": lambda queue: queue.limit(task="send", rate="5/s"),
    "pause of a group": lambda queue: queue.group("g").pause("why"),
    "limit of a group": lambda queue: queue.group("g").limit(concurrency=1),
    "limit of every group": lambda queue: queue.group("*").limit(concurrency=2),
    "open": lambda queue: queue.breaker(group="g").open("why"),
}
BACK: dict[str, Callable[[Queue], Awaitable[Any]]] = {
    "pause": lambda queue: queue.resume(),
    "pause of a task": lambda queue: queue.resume(task="send"),
    "keep": lambda queue: queue.keep(completed=None),
    "keep of a task": lambda queue: queue.keep(task="send", completed=None),
    "limit": lambda queue: queue.limit(concurrency=None),
    "limit of a task": lambda queue: queue.limit(task="send", rate=None),
    "pause of a group": lambda queue: queue.group("g").resume(),
    "limit of a group": lambda queue: queue.group("g").unlimit(),
    "limit of every group": lambda queue: queue.group("*").unlimit(),
    "open": lambda queue: queue.breaker(group="g").close(),
}


async def told(app: App, count: int) -> list[tuple[Any, ...]]:
    """What each partition was told, by a look at its keys; the times of pauses are left out."""
    found = []
    for number in range(count):
        name = partition(QUEUE, number)
        keys = app.client.store.keys(name)
        kept = [
            await app.client.store.pool.call(name, "HGETALL", key)
            for key in (keys.steering, keys.retention, keys.limits)
        ]
        found.append(
            tuple(
                {bytes(field): _plain(text) for field, text in zip(rows[::2], rows[1::2], strict=True)}
                for rows in kept
            )
        )
    return found


def _plain(text: bytes) -> bytes:
    return b"a pause" if b"since_ms" in text else bytes(text)


@pytest.mark.parametrize("act", ACTS)
async def test_what_is_told_by_who_does_not_know_of_a_change_yet_holds_in_all_partitions(
    parted: App, make_app: Callable[..., App], act: str
) -> None:
    queue = parted.queue(QUEUE)
    await queue.counts()
    async with make_app() as other:
        await other.queue(QUEUE).counts()  # so that it knows for a second how many there were
        for do, count in ((ACTS[act], 6), (BACK[act], 8)):
            await queue.partition(count)
            await do(other.queue(QUEUE))
            first, *rest = await told(parted, count)
            assert rest == [first] * (count - 1)


@pytest.mark.parametrize("act", ACTS)
async def test_partitions_that_come_back_have_what_the_others_have_and_nothing_of_before(
    parted: App, act: str
) -> None:
    queue = parted.queue(QUEUE)
    await queue.partition(4)
    await ACTS[act](queue)
    await queue.partition(1)
    await _retire(parted)
    await BACK[act](queue)
    its = await queue.partition(4)
    assert (its.count, its.had) == (4, 1), "the others were given up before"
    first, *rest = await told(parted, 4)
    assert rest == [first] * 3


async def _retire(app: App) -> None:
    """As a day later."""
    partitions = app.client.store.partition
    await partitions.sweep(QUEUE)
    text, its = await partitions._read(QUEUE)
    assert its.drained
    await partitions._write(QUEUE, text, replace(its, drained=its.drained - 90_000))
    assert (await partitions.sweep(QUEUE)).reach == its.count


@pytest.mark.parametrize("counts", [(4,), (4, 1), (4, 2), (8, 1, 8, 1), (16, 3)])
async def test_as_many_jobs_may_wait_as_were_told_however_many_partitions_there_are(
    app: App, counts: tuple[int, ...]
) -> None:
    queue = app.queue(QUEUE)
    await queue.limit(max_waiting=40)
    for count in counts:
        await queue.partition(count)
        assert (await queue.steering()).max_waiting == 40
    for n in range(40):
        await app.enqueue(QUEUE, "t", n)
    with pytest.raises(QueueFull):
        await app.enqueue(QUEUE, "t", 1)
