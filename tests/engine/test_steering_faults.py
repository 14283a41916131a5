"""Steering under load and faults: a busy worker, lost signals, storms, what others wrote, clocks that were set back."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from typing import Any

import pytest
import redis

from streamq import App, OperationEnded, StreamqError
from streamq.duties.operator import Operator
from streamq.model.keys import Keys
from streamq.worker import reads

from ..rig import ON_ONE_SERVER, census, until, working

pytestmark = ON_ONE_SERVER


@pytest.fixture
async def operate(app: App) -> Any:
    async with app.client.store.pool.links() as links:
        yield Operator(app.client.store, lambda: ["q"], links=links)


async def test_a_worker_that_is_busy_hears_of_a_pause(app: App) -> None:
    seen: list[int] = []

    @app.task(queue="q")
    async def t(x: int) -> None:
        seen.append(x)

    queue = app.queue("q")
    await t.enqueue_many(range(30_000))
    async with working(app, concurrency=1_000):  # it reads on while jobs start
        await until(lambda: len(seen) > 500)
        await queue.pause()
        await asyncio.sleep(0.2)
        before = len(seen)
        await asyncio.sleep(0.3)
        assert before == len(seen) < 30_000
        counts = await queue.counts()
        assert (counts.waiting, counts.active) == (30_000 - before, 0)


async def test_a_pause_whose_signal_is_lost_is_known_by_the_beats(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "BLOCK_MS", 200)
    seen: list[int] = []

    @app.task(queue="q")
    async def t(x: int) -> None:
        seen.append(x)

    steering = Keys(prefix, "q").steering
    async with working(app):
        await (await t.enqueue(1)).result(5)
        client.hset(steering, "paused", '{"reason":"by hand"}')
        await asyncio.sleep(1.2)  # two beats, and the end of a read
        await t.enqueue(2)
        await asyncio.sleep(0.3)
        assert seen == [1]
        client.delete(steering)
        await until(lambda: seen == [1, 2], 3)


async def test_a_pause_that_ends_by_itself_lets_jobs_start_and_held_ones_wait_again(app: App) -> None:
    @app.task(queue="q")
    async def t(x: int) -> int:
        return x

    queue = app.queue("q")
    async with working(app):
        await queue.pause(until=0.5)
        await queue.pause(until=0.7, task="t")
        job, loop = await t.enqueue(1), asyncio.get_running_loop()
        began = loop.time()
        assert (await queue.counts()).held == 1
        assert await job.result(5) == 1
        assert 0.6 < loop.time() - began < 3


async def test_in_a_storm_of_pauses_each_job_runs_once(app: App, client: redis.Redis, prefix: str) -> None:
    ran: Counter[tuple[str, int]] = Counter()

    @app.task(queue="q")
    async def a(x: int) -> None:
        ran["a", x] += 1
        await asyncio.sleep(0.002)

    @app.task(queue="q")
    async def b(x: int) -> None:
        ran["b", x] += 1

    queue, chance = app.queue("q"), random.Random(7)  # noqa: S311  # a storm that is the same each time
    async with working(app, concurrency=5), working(app, concurrency=5):
        for n in range(40):
            await a.enqueue_many(range(5 * n, 5 * n + 5), priority=chance.choice(["high", "normal"]))
            await b.enqueue(n)
            task = chance.choice(["a", "b", None])
            await (queue.pause(task=task) if chance.random() < 0.5 else queue.resume(task=task))
        for task in ("a", "b", None):
            await queue.resume(task=task)
        await until(lambda: len(ran) == 240, 20)
        await until(lambda: not client.exists(Keys(prefix, "q").held), 20)
    assert set(ran.values()) == {1}
    found = census(client, prefix, "q")
    found.check()
    assert set(found.counts()) == {"completed"}


@pytest.mark.parametrize("garbage", ["", "[]", "null", "{", '{"until_ms":"soon"}', "\xff\x00"])
async def test_a_pause_that_cannot_be_read_is_one_for_all_and_can_be_ended(
    app: App, client: redis.Redis, prefix: str, operate: Operator, garbage: str
) -> None:
    client.hset(
        Keys(prefix, "q").steering, mapping={"paused": garbage, "task:t": garbage, "max_waiting": "many"}
    )
    await app.enqueue("q", "t", 1)
    queue = app.queue("q")
    told = await queue.steering()
    assert told.paused is not None
    assert "cannot be read" in told.paused.reason or not told.paused.reason
    assert (told.max_waiting, list(told.tasks), (await queue.counts()).held) == (None, ["t"], 1)
    assert await operate.see_to("q") == 0
    await queue.resume(task="t")
    assert await operate.see_to("q") == 1


async def test_what_others_wrote_among_operations_and_held_jobs_stops_nothing(
    app: App, client: redis.Redis, prefix: str, operate: Operator
) -> None:
    keys = Keys(prefix, "q")
    running = '{"kind":"purge","states":[],"state":"running","done":0,"total":0'
    client.hset(
        keys.operations,
        mapping={
            "a": "", "b": "[]", "c": '{"state":"running"}', "d": running + "}",
            "e": running + ',"left":5,"last":{},"created_ms":1,"last_end":1}', "f": running + ',"created_ms":1e300}',
        },
    )  # fmt: skip
    await app.queue("q").pause(task="t")
    await app.enqueue_many("q", "t", range(3))
    client.zadd(keys.held, {"": 0, "no line": 0, "x\n": 0, "x\n1-1": 0, "\n\n": 0, "t\nnone": 0})
    purge = await app.queue("q").purge(["held"])
    await operate.see_to("q")
    assert (await purge.status()).done == 3
    await app.queue("q").resume(task="t")
    await operate.see_to("q")
    assert not client.zrange(keys.held, 0, -1)
    listed = {record.id for record in await app.queue("q").operations()}
    assert purge.id in listed
    for strange in "abcdef":
        with pytest.raises(OperationEnded):
            await app.queue("q").operation(purge.id).cancel()
        with pytest.raises(StreamqError):
            await app.queue("q").operation(strange).wait(0.1)


async def test_a_purge_deletes_what_there_was_whatever_the_clock_says_and_nothing_that_came_after(
    app: App, client: redis.Redis, prefix: str, operate: Operator
) -> None:
    @app.task(queue="q")
    async def t(x: int) -> None: ...

    keys, queue = Keys(prefix, "q"), app.queue("q")
    async with working(app):
        for job in await t.enqueue_many(range(5)):
            await job.result(5)
    ahead = client.time()[0] * 1000 + 3_600_000  # the clock has been an hour further
    client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": ""}, id=f"{ahead}-0")
    purge = await queue.purge(["waiting", "completed"])
    client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": ""})
    await asyncio.sleep(0.002)
    seconds, micros = client.time()
    late = f"{seconds * 1000 + micros // 1000 + 1}-5"
    client.hset(keys.finished, late, "c5 0 w\nt\n\nnull\n1")
    client.rpush(keys.completed, late)
    await asyncio.sleep(0.01)
    while await operate.see_to("q"):
        pass
    assert ((await purge.status()).state, (await purge.status()).done) == ("done", 6)
    assert (await queue.counts()).waiting == 1


async def test_a_step_of_large_jobs_is_bounded_by_their_bytes(app: App, client: redis.Redis) -> None:
    await app.enqueue_many("q", "t", ["x" * 60_000] * 40)
    await app.enqueue_many("q", "t", ["x" * 60_000] * 40, delay=60)
    purge = await app.queue("q").purge()
    steps = []
    async with app.client.store.pool.links() as links:
        while (step := await app.client.store.operations.step(links, "q", purge.id))[0] == "running":
            steps.append(step[1])
    assert max(steps) <= 16, "half a megabyte, and the page that goes beyond"
    assert (await purge.status()).done == 80


async def test_a_job_that_is_held_after_its_task_was_resumed_waits_again_at_once(app: App) -> None:
    @app.task(queue="q")
    async def t(x: int) -> int:
        return x

    async with working(app) as worker:
        await (await t.enqueue(1)).result(5)
        worker.slots.held = {("q", "t"): math.inf}  # it has not heard of the end yet
        job = await t.enqueue(2)
        await asyncio.sleep(0.1)
        assert (await app.queue("q").counts()).held == 0
        worker.slots.held = {}
        assert await job.result(5) == 2
