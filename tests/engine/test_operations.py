"""Background operations: many jobs are deleted in small steps, by whoever is there, and counted exactly."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis

from streamq import App, OperationNotFound, State, Unique, UsageError
from streamq.duties.operator import Operator
from streamq.model.keys import Keys


@pytest.fixture
async def operate(app: App) -> Any:
    async with app.client.store.pool.links() as links:
        yield Operator(app.client.store, lambda: ["q"], links=links)


async def fill(app: App, count: int) -> None:
    await app.enqueue_many("q", "t", range(count))
    await app.enqueue_many("q", "t", range(count), priority="low")
    await app.enqueue_many("q", "t", range(count), delay=60)
    await app.queue("q").pause(task="paused")
    await app.enqueue_many("q", "paused", range(count))


async def test_a_drain_deletes_what_waits_and_counts_it_and_touches_nothing_else(
    app: App, operate: Any
) -> None:
    await fill(app, 450)
    drain = await app.queue("q").drain(by="ada")
    await asyncio.sleep(0.002)  # what is born in the same millisecond is deleted, too
    later = await app.enqueue("q", "t", "later")
    while await operate.once():
        pass
    record = await drain.wait(timeout=5)
    assert (record.state, record.done, record.total, record.by) == ("done", 900, 900, "ada")
    counts = await app.queue("q").counts()
    assert (counts.waiting, counts.delayed, counts.held) == (1, 450, 450)
    assert (await later.status()).state is State.WAITING


async def test_a_purge_leaves_no_key_of_a_job_behind(
    app: App, operate: Any, client: redis.Redis, prefix: str
) -> None:
    await fill(app, 30)
    for n in range(30):
        await app.enqueue("q", "t", n, key=f"k{n % 10}", unique=Unique(conflict="queue"), delay=n % 3 or None)
    purge = await app.queue("q").purge()
    while await operate.once():
        pass
    assert (await purge.status()).state == "done"
    counts = await app.queue("q").counts()
    assert not any(counts.asdict().values())
    keys = Keys(prefix, "q")
    assert not [
        name
        for name in ("parked", "delayed", "moved", "unique", "held")
        if client.exists(getattr(keys, name))
    ]


async def test_a_cancelled_operation_ends_where_it_is(app: App, operate: Any) -> None:
    await app.enqueue_many("q", "t", range(1_000))
    purge = await app.queue("q").purge(["waiting"])
    async with app.client.store.pool.links() as links:
        await app.client.store.operations.step(links, "q", purge.id)
    record = await purge.cancel()
    assert (record.state, record.done) == ("cancelled", 50)
    await operate.once()
    assert (await app.queue("q").counts()).waiting == 950
    assert (await purge.cancel()).state == "cancelled"


async def test_steps_by_many_at_once_delete_and_count_each_job_once(app: App) -> None:
    await app.enqueue_many("q", "t", range(3_000))
    purge = await app.queue("q").purge(["waiting"])

    async def work() -> int:
        async with app.client.store.pool.links() as links:
            done = 0
            while (step := await app.client.store.operations.step(links, "q", purge.id))[0] == "running":
                done += step[1]
            return done + step[1]

    assert sum(await asyncio.gather(*[work() for _ in range(5)])) == 3_000
    assert (await purge.status()).done == 3_000


async def test_what_cannot_be_purged_is_refused(app: App) -> None:
    with pytest.raises(UsageError, match=r"active.*held, delayed, waiting"):
        await app.queue("q").purge(["active"])
    for nothing in ([], None):
        with pytest.raises(UsageError, match="any of held, delayed, waiting"):
            await app.queue("q").purge(nothing)  # type: ignore[arg-type]
    with pytest.raises(OperationNotFound, match="never begun"):
        await app.queue("q").operation("none").status()
    assert await app.queue("q").operations() == []
