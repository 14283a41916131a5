"""What the one who changes partitions finds out is what is so, once for all who wait for it, while jobs come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import redis

from streamq import App, Context, Limit, State
from streamq.model.places import place_of

from ..rig import ON_ONE_SERVER, until, working
from .parted import QUEUE

pytestmark = ON_ONE_SERVER

GROUPS = 200


async def test_a_job_that_becomes_due_while_it_is_looked_what_stays_is_not_missed(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes from one key to another while the walk looks at the other."""
    monkeypatch.setattr(
        "streamq.store.staying.SCANNED", 1
    )  # so that the walk takes as long as jobs become due
    app = make_app(concurrency=GROUPS)

    @app.task(queue=QUEUE)
    async def wait(ctx: Context, number: int) -> None:
        await ends.wait()

    ends = asyncio.Event()
    app.limit(QUEUE, groups=Limit(concurrency=1))
    async with app, working(app, concurrency=GROUPS):
        await app.enqueue_many(QUEUE, "wait", range(2_000), delay=3600)
        for n in range(GROUPS):
            await app.enqueue(QUEUE, "wait", n, group=f"g{n}", delay=0.5 + n / GROUPS)
        await until(lambda: _run(app, 5))
        its = await app.queue(QUEUE).partition(4)
        assert (its.phase, its.staying) == ("moving", GROUPS)
        assert await _run(app, GROUPS // 10), "many became due meanwhile"
        ends.set()
        await until(lambda: _are_done(app), 20)


async def _run(app: App, count: int) -> bool:
    return (await app.queue(QUEUE).counts()).active >= count


async def _are_done(app: App) -> bool:
    return (await app.queue(QUEUE).counts()).completed == GROUPS


@pytest.mark.keeps_keys
async def test_many_who_wait_for_a_change_cost_the_server_one_look_at_the_queue(
    make_app: Callable[..., App], client: redis.Redis
) -> None:
    app, operator = make_app(connections=4), make_app()
    app.limit(QUEUE, groups=Limit(concurrency=1))
    async with app, operator:
        await app.enqueue_many(QUEUE, "t", range(20_000), delay=3600)
        before = _scans(client)
        changing = asyncio.create_task(operator.queue(QUEUE).partition(4))
        jobs = await asyncio.wait_for(
            asyncio.gather(*[app.enqueue(QUEUE, "t", n, group=f"g{n}") for n in range(100)]), 20
        )
        await changing
    assert len({job.id for job in jobs}) == 100
    assert _scans(client) - before < 1_000, "as many as two or three walks take"


def _scans(client: redis.Redis) -> int:
    rows = client.info("commandstats")
    return int(rows.get("cmdstat_hscan", {"calls": 0})["calls"])


async def test_the_rate_of_a_group_holds_through_a_change(parted: App) -> None:
    queue = parted.queue(QUEUE)
    for n in range(8):
        await queue.group(f"g{n}").limit(rate="1/60s")
    async with working(parted):
        first = [await parted.enqueue(QUEUE, "send", n, group=f"g{n}") for n in range(8)]
        for job in first:
            await job.result(10)
        await queue.partition(16)
        second = [await parted.enqueue(QUEUE, "send", n, group=f"g{n}") for n in range(8)]
        third = [await parted.enqueue(QUEUE, "send", n, group="free") for n in range(3)]
        for job in third:
            await job.result(10)
        assert {(await job.status()).state for job in second} == {State.HELD}
    assert [place_of(QUEUE, job.id)[0] for job in second] == [place_of(QUEUE, job.id)[0] for job in first]
