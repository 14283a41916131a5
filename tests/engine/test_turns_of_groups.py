"""Groups take turns, keep their orders, and are paused by people and by handlers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
import redis

from streamq import (
    App,
    Context,
    Fail,
    Limit,
    Retry,
    Snooze,
    UsageError,
)
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working
from .gauge import Gauge, gauge, sent

pytestmark = [pytest.mark.keeps_keys]
__all__ = ["gauge"]


async def test_a_paused_group_starts_nothing_until_its_end_and_no_other_group_waits_for_it(
    app: App, gauge: Gauge, client: redis.Redis, prefix: str
) -> None:
    queue = app.queue("q")
    async with working(app) as worker:
        await until(lambda: is_known(app, worker))
        with app.acting("ada"):
            await queue.group("a").pause("they asked for it", until=0.5)
        await sent(app, "a", 3)
        await sent(app, "b", 3)
        await until(lambda: gauge.ended == 3)
        status = await queue.group("a").status()
        assert (status.paused and (status.paused.reason, status.paused.by)) == ("they asked for it", "ada")
        assert (status.waiting, [group.name for group in await queue.groups(order="longest")]) == (3, ["a"])
        await gauge.drained(6)
        assert not client.exists(Keys(prefix, "q").limits, Keys(prefix, "q").opens)
        await queue.group("a").pause()
        await sent(app, "a", 3)
        await asyncio.sleep(0.05)
        assert (await queue.counts()).held == 3
        assert await queue.group("a").resume()
        assert not await queue.group("a").resume()
        await gauge.drained(3)
    acts = [entry.action for entry in (await app.audit(queue="q")).items]
    assert acts == ["group.pause"]  # the others said not who they are


async def test_the_job_that_met_a_429_is_the_first_of_its_group_afterwards_and_has_spent_no_attempt(
    app: App,
) -> None:
    starts: list[tuple[int, int, float]] = []

    @app.task(queue="q", group="{tenant}")
    async def call(job: dict[str, Any], ctx: Context) -> None:
        starts.append((job["n"], ctx.attempt, asyncio.get_running_loop().time()))
        if job["n"] == 1 and len(starts) == 2:
            raise Retry("429 Too Many Requests", after=0.3, scope="group")

    await app.queue("q").group("a").limit(concurrency=1)
    await call.enqueue_many([{"tenant": "a", "n": n} for n in range(4)])
    async with working(app), asyncio.timeout(5):
        await until(lambda: len(starts) == 2)
        paused = await until(lambda: paused_of(app, "a"))
        assert paused.reason == "429 Too Many Requests"
        await until(lambda: len(starts) == 5)
    assert [(n, attempt) for n, attempt, _ in starts] == [(0, 1), (1, 1), (1, 1), (2, 1), (3, 1)]
    assert starts[2][2] - starts[1][2] >= 0.299


async def is_known(app: App, worker: Any) -> bool:
    return worker.name in {each.name for each in await app.workers()}


async def paused_of(app: App, group: str) -> Any:
    return (await app.queue("q").group(group).status()).paused


@ON_ONE_SERVER
@pytest.mark.parametrize("order", [None, "pass"])
async def test_none_of_a_group_of_one_at_a_time_passes_another_that_comes_back_unless_it_may(
    app: App, order: Any
) -> None:
    ended: list[int] = []

    @app.task(queue="q", group="g", attempts=2)
    async def step(n: int, ctx: Context) -> None:
        if n == 1 and ctx.attempt == 1:
            raise Retry(after=0.1)
        if n == 2 and 20 not in ended:
            ended.append(20)
            raise Snooze(0.1)
        if n == 3:
            raise Fail("for good")
        ended.append(n)

    await app.queue("q").group("g").limit(concurrency=1, order=order)
    jobs = await step.enqueue_many([0, 1, 2, 3, 4, 5])
    await jobs[4].cancel()
    async with working(app):
        await until(lambda: len(ended) == 5)
    assert ended == ([0, 1, 20, 2, 5] if order is None else [0, 20, 5, 1, 2])


@ON_ONE_SERVER
async def test_more_of_a_strict_group_at_once_keep_their_slots_while_they_wait_for_their_next_attempts(
    app: App,
) -> None:
    started: list[tuple[int, int]] = []

    @app.task(queue="q", group="g")
    async def step(n: int, ctx: Context) -> None:
        started.append((n, ctx.attempt))
        if ctx.attempt == 1:
            raise Retry(after=0.05)

    await app.queue("q").group("g").limit(concurrency=2, order="strict")
    await step.enqueue_many(range(4))
    async with working(app):
        await until(lambda: len(started) == 8)
    assert sorted(started[:4]) == [(0, 1), (0, 2), (1, 1), (1, 2)]


@ON_ONE_SERVER
async def test_priorities_hold_inside_a_group_and_a_delayed_job_joins_it_when_it_is_due(
    app: App, gauge: Gauge
) -> None:
    await app.queue("q").group("a").limit(concurrency=1)
    for n, options in enumerate(({"delay": 0.05}, {}, {}, {"priority": "critical"}, {"priority": "low"}, {})):
        await app.enqueue("q", "send", {"tenant": "a", "n": n}, **options)  # type: ignore[arg-type]
    async with working(app):
        await until(lambda: gauge.ended == 6)
    started = [message["n"] for message in gauge.started]
    assert [n for n in started if n] == [3, 1, 2, 5, 4]


@ON_ONE_SERVER
async def test_tenants_take_turns_by_their_weights_and_a_tenant_with_many_parts_gets_no_more_than_one_with_few(
    app: App, gauge: Gauge
) -> None:
    await app.queue("q").group("gold").limit(weight=3)
    await app.enqueue_many("q", "plain", ["plain"] * 100)
    for group in ("loud:1", "loud:2", "loud:3", "gold:1"):
        payloads = [{"tenant": group.partition(":")[0], "n": n} for n in range(100)]
        await app.enqueue_many("q", "send", payloads, group=group)
    async with working(app, concurrency=1):
        await until(lambda: gauge.ended >= 100)
        counts = Counter(message["tenant"] if message else "plain" for message in gauge.started[:100])
    assert all(
        abs(counts[name] - share) <= 4 for name, share in {"plain": 20, "loud": 20, "gold": 60}.items()
    ), counts


@ON_ONE_SERVER
async def test_a_handler_in_a_thread_pauses_its_group_or_the_tenant_of_it(app: App) -> None:
    said: list[Any] = []

    @app.task(queue="q", group="t:{part}")
    def plain(job: dict[str, Any], ctx: Context) -> None:
        scope: Any = "tenant" if job["part"] == "y" else "group"
        ctx.pause_group("5m", "busy", scope=scope)
        ctx.pause_group(0.001, "a shorter one", scope=scope)
        said.append(ctx.group)

    @app.task(queue="q")
    async def alone(ctx: Context) -> None:
        with pytest.raises(UsageError, match="no group that could be paused"):
            ctx.pause_group(1)
        said.append(None)

    async with working(app):
        await plain.enqueue({"part": "x"})
        assert (await until(lambda: paused_of(app, "t:x"))).reason == "busy"
        assert not await paused_of(app, "t")
        await plain.enqueue({"part": "y"})
        await until(lambda: paused_of(app, "t"))
        await until(lambda: len(said) == 2)
        await alone.enqueue()
        await until(lambda: len(said) == 3)
    assert said == ["t:x", "t:y", None]


@ON_ONE_SERVER
async def test_groups_take_turns_also_where_it_is_their_task_that_is_limited(app: App) -> None:
    started: list[str] = []

    @app.task(queue="q", limit=Limit(concurrency=1))
    async def step(group: str) -> None:
        started.append(group)
        await asyncio.sleep(0.001)

    for group in "abc":
        await app.enqueue_many("q", "step", [group] * 8, group=group)
    async with working(app):
        await until(lambda: len(started) == 24)
    assert all(abs(started[:12].count(group) - 4) <= 1 for group in "abc"), started


@ON_ONE_SERVER
async def test_a_queue_of_groups_with_a_backlog_leaves_others_their_turns(app: App) -> None:
    ran: list[str] = []

    async def send(name: str) -> None:
        ran.append(name)
        await asyncio.sleep(0.02)

    app.task(name="busy", queue="busy")(send)
    app.task(name="calm", queue="calm")(send)
    await app.enqueue_many("busy", "busy", [f"busy {n}" for n in range(600)], group="a")
    async with working(app, concurrency=4):
        await until(lambda: len(ran) > 20)
        for number in range(3):  # each rings while the other queue has a backlog
            await app.enqueue("calm", "calm", f"calm {number}", group=f"b{number}")
            before = len(ran)
            await until(lambda number=number: f"calm {number}" in ran, 10)
            assert len(ran) - before < 100, "it did not wait for the end of the backlog"
