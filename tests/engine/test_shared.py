"""Shared limits as people use them: declared, told, paused, obeyed by several queues."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis

from streamq import App, ConfigurationError, Context, InvalidLimit, Limit, Retry, SharedLimit, UsageError

from ..rig import ON_ONE_SERVER, shared_keys, until, working

pytestmark = [pytest.mark.keeps_keys]


async def test_two_queues_together_start_no_more_than_a_shared_limit_allows(app: App) -> None:
    running: set[Any] = set()
    most, done = 0, 0
    app.limit_shared("provider", Limit(concurrency=4))
    app.limit("letters", Limit(shared="provider"))

    async def call(what: str) -> None:
        nonlocal most, done
        running.add(mine := object())
        most = max(most, len(running))
        await asyncio.sleep(0.01)
        running.discard(mine)
        done += 1

    app.task(queue="letters", name="letter")(call)
    app.task(queue="calls", name="call", group="one", limit=Limit(shared="provider"))(call)
    async with working(app, concurrency=20):
        await app.enqueue_many("letters", "letter", ["x"] * 40)
        await app.enqueue_many("calls", "call", ["x"] * 40)
        await until(lambda: done == 80)
        assert most == 4
        assert (await app.shared("provider").limit(concurrency=2)) == Limit(concurrency=2)
        most = 0
        await app.enqueue_many("letters", "letter", ["x"] * 20)
        await app.enqueue_many("letters", "letter", ["x"] * 2, units=2)
        await until(lambda: done == 102)
        assert most == 2


async def test_who_hears_a_429_pauses_all_that_draw_from_the_limit_and_goes_first_afterwards(
    app: App,
) -> None:
    told: list[tuple[str, int, float]] = []
    app.limit_shared("provider", Limit(concurrency=1))

    @app.task(queue="a", limit=Limit(shared="provider"))
    async def first(n: int, ctx: Context) -> None:
        told.append(("a", n, time.monotonic()))
        if len(told) == 2:
            raise Retry("429", after=0.4, scope="shared")
        assert ctx.attempt == 1

    @app.task(queue="b", limit=Limit(shared="provider"))
    async def second(n: int) -> None:
        told.append(("b", n, time.monotonic()))

    async with working(app):
        await first.enqueue_many(range(4))
        await until(lambda: len(told) == 2)
        await second.enqueue_many(range(3))
        paused = await until(lambda: _paused(app))
        assert paused.reason == "429"
        await until(lambda: len(told) == 8)
    assert told[2][2] - told[1][2] > 0.38
    assert [n for queue, n, _ in told if queue == "a"] == [0, 1, 1, 2, 3]
    assert await app.shared("provider").resume() is False


async def _paused(app: App) -> Any:
    return (await app.shared("provider").status()).paused


async def test_a_pause_holds_in_all_queues_until_somebody_resumes(app: App) -> None:
    started: list[int] = []

    @app.task(queue="a", limit=Limit(shared="provider"))
    async def run(n: int) -> None:
        started.append(n)

    async with working(app):
        await run.enqueue(0)
        await until(lambda: started == [0])
        await app.shared("provider").pause("the contract is over", by="ada")
        await run.enqueue(1)
        await app.enqueue("a", "run", 2, group="x")
        await asyncio.sleep(0.3)
        assert started == [0]
        status = await app.shared("provider").status()
        assert status.paused is not None
        assert (status.paused.reason, status.paused.by, status.waiting) == (
            "the contract is over",
            "ada",
            ("a",),
        )
        assert await app.shared("provider").resume()
        await until(lambda: sorted(started) == [0, 1, 2])


@ON_ONE_SERVER
async def test_nothing_is_left_of_it_once_nobody_draws_and_nothing_is_told(
    app: App, client: redis.Redis, prefix: str
) -> None:
    app.task(queue="a", name="t", limit=Limit(shared="provider"))(lambda number: number)
    async with working(app):
        job = await app.enqueue("a", "t", 1, units=3)
        await job.result(5)
        await app.shared("provider").limit(concurrency=5)
        of = shared_keys(prefix).shared_lease + "provider"
        await until(lambda: not client.hexists(of, "queue a"))
        assert [each.name for each in await app.shared_limits()] == ["provider"]
        assert await app.shared("provider").unlimit()
        assert await app.shared_limits() == []
        leases, links = app.client.store.keys("a").leases, app.client.store.links()
        assert client.hget(leases, "provider").startswith("0 0 "), "the number of the last lease, for a while"
        client.hset(leases, "provider", "0 0 1 5:0 1 0")  # which is over
        await app.client.store.shared_limits.lease(links, "a", "provider")
        assert client.hkeys(leases) == []
        await links.close()


@ON_ONE_SERVER
async def test_what_cannot_be_is_refused_with_what_can(app: App) -> None:
    for wrong in (Limit(weight=2), Limit(shared="x"), Limit(max_waiting=5)):
        with pytest.raises(ConfigurationError, match="cannot be said of it: use concurrency, rate"):
            app.limit_shared("provider", wrong)
    for name in ("", "a b", "x" * 65, ".", 5):
        with pytest.raises(InvalidLimit, match="cannot name a shared limit"):
            app.shared(name)  # type: ignore[arg-type]
        with pytest.raises(InvalidLimit, match="cannot name a shared limit"):
            await app.queue("q").limit(shared=name)  # type: ignore[arg-type]
    with pytest.raises(InvalidLimit, match="say what is limited"):
        await app.shared("provider").limit()
    for wrong_units in (0, -1, 1.5, True, 2_000_000):
        with pytest.raises(UsageError, match="units"):
            await app.enqueue("q", "t", 1, units=wrong_units)  # type: ignore[arg-type]


@ON_ONE_SERVER
async def test_why_names_the_shared_limit_that_holds_a_job(app: App) -> None:
    app.task(queue="a", name="t", limit=Limit(shared="provider"))(lambda number: number)
    await app.shared("provider").limit(concurrency=2)
    async with working(app):
        job = await app.enqueue("a", "t", 1, units=3)
        limited = "shared limit 'provider' allows 2 units, and it needs 3: it never starts"
        await until(lambda: _says(job, "shared-limited", limited))
        await app.shared("provider").pause("the contract is over")
        assert "shared limit 'provider' is paused" in (await until(lambda: _says(job, "group-paused"))).text
        await app.shared("provider").unlimit()
        await app.shared("provider").limit(concurrency=3)
        await job.result(5)


async def _is_free(limit: SharedLimit) -> bool:
    return (await limit.status()).held == 0


async def _says(job: Any, code: str, text: str = "") -> Any:
    why = await job.why()
    return why if why.code == code and text in why.text else None


@ON_ONE_SERVER
async def test_a_job_that_needs_more_than_a_shared_limit_allows_makes_way_and_starts_once_that_allows_it(
    app: App,
) -> None:
    started: list[int] = []
    app.limit("a", groups=Limit(concurrency=5))

    @app.task(queue="a", limit=Limit(shared="provider"))
    async def t(number: int) -> None:
        started.append(number)

    provider = app.shared("provider")
    await provider.limit(concurrency=2)
    async with working(app):
        dear = await app.enqueue("a", "t", 0, units=3, group="x", priority="high")
        dearer = await app.enqueue("a", "t", 1, units=4)
        for group in ("x", None):
            await (await app.enqueue("a", "t", 2, units=2, group=group)).result(5)
        for job in (dear, dearer):
            why = await until(lambda job=job: _says(job, "shared-limited", "allows 2 units"))
        assert "it never starts. Raise that limit, or delete the job" in why.text
        await provider.limit(concurrency=3)
        await dear.result(5)
        await until(lambda: _is_free(provider))  # nothing is kept for the other
        await provider.limit(rate="9/s", concurrency="unlimited")
        await dearer.result(5)
    assert started == [2, 2, 0, 1]


async def test_a_cost_above_what_code_says_of_a_shared_limit_is_refused(app: App) -> None:
    app.limit_shared("provider", Limit(concurrency=5, rate="100/s"))
    app.limit_shared("model", Limit(rate="3/m"))
    app.limit("a", Limit(shared="provider"))
    task = app.task(queue="a", name="t", limit=Limit(shared="model"))(lambda number: number)
    app.task(queue="b", name="u")(lambda number: number)
    for units, allowed in ((4, "'model' allows 3"), (6, "'model' allows 3")):
        with pytest.raises(InvalidLimit, match=f"units={units} .* {allowed}, .* use 1 to 3"):
            await task.options(units=units).enqueue(1)
        with pytest.raises(InvalidLimit, match=allowed):
            await app.enqueue_many("a", "t", [1], units=units)
    with pytest.raises(InvalidLimit, match="'provider' allows 5"):
        await app.enqueue("a", "of another program", 1, units=6)
    await app.enqueue("a", "of another program", 1, units=5)
    await task.options(units=3).enqueue(1)
    await app.enqueue("b", "u", 1, units=1000)
