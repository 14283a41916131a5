"""Limits, pauses and breakers that meet: one of them never undoes what another says, and nobody waits in vain."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from streamq import App, Breaker, Context, GroupFull, Limit, Retry, State, Unique
from streamq.duties.auditor import Auditor
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working

pytestmark = ON_ONE_SERVER


# -- parts ---------------------------------------------------------------------------------------------------------


async def test_a_rate_of_every_part_holds_for_each(app: App) -> None:
    starts = defaultdict[str, list[float]](list)
    app.limit("q", parts=Limit(rate="5/500ms"))

    @app.task(queue="q", group="{part}")
    async def t(message: dict[str, str]) -> None:
        starts[message["part"]].append(time.monotonic())

    async with working(app) as worker:
        await worker.is_ready.wait()
        for part in ("acme:0", "acme:1"):
            await t.enqueue_many([{"part": part}] * 12)
        await until(lambda: sum(map(len, starts.values())) == 24)
    for times in starts.values():
        assert all(later - first > 0.45 for first, later in zip(times, times[5:], strict=False))


async def test_after_a_pause_of_a_strict_part_one_of_it_runs_at_a_time(app: App) -> None:
    running = most = 0
    order: list[int] = []
    app.limit("q", parts=Limit(concurrency=1))

    @app.task(queue="q", group="acme:ada")
    async def t(number: int, ctx: Context) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        if number == 2 and ctx.attempt == 1 and order.count(2) == 0:
            order.append(2)
            raise Retry(after=0.1, scope="group")
        order.append(number)

    async with working(app) as worker:
        await worker.is_ready.wait()
        await t.enqueue_many(range(8))
        await until(lambda: len(order) == 9)
        await app.queue("q").group("acme:ada").pause(until=0.1)
        await t.enqueue_many(range(8, 14))
        await until(lambda: len(order) == 15)
    assert (most, order) == (1, [0, 1, 2, *range(2, 14)])


# -- shared limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "costs"), [(4, (1, 1)), (4, (3, 3)), (4, (2, 3)), (1, (1, 1))])
async def test_two_queues_that_want_more_than_there_is_get_the_same_part_whatever_their_jobs_cost(
    app: App, most: int, costs: tuple[int, int]
) -> None:
    done: list[str] = []
    app.limit_shared("provider", Limit(concurrency=most))
    for queue in "ab":
        app.limit(queue, Limit(shared="provider"))

    @app.task(queue="a")
    async def of_a(_number: int) -> None:
        await asyncio.sleep(0.01)
        done.append("a")

    @app.task(queue="b")
    async def of_b(_number: int) -> None:
        await asyncio.sleep(0.01)
        done.append("b")

    for task, cost in ((of_a, costs[0]), (of_b, costs[1])):
        await task.options(units=cost).enqueue_many([1] * 60)
    async with working(app, queues=["a"]), working(app, queues=["b"]):
        await until(lambda: len(done) >= 60, 20)
        shares = Counter(done[:60])
        assert min(shares["a"], shares["b"]) > 20, shares
        await until(lambda: len(done) == 120, 20)


async def test_costs_of_all_sizes_in_strict_groups_of_two_queues_never_stop_each_other(app: App) -> None:
    running = most = ended = 0
    app.limit_shared("provider", Limit(concurrency=4, rate="500/s"))
    for queue in "ab":
        app.limit(queue, Limit(shared="provider"), groups=Limit(concurrency=1))

    async def work(units: int) -> None:
        nonlocal running, most, ended
        running += units
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= units
        ended += 1

    for queue in "ab":
        app.task(queue=queue, name=queue)(work)
    async with working(app, queues=["a", "b"]) as worker:
        await worker.is_ready.wait()
        for number in range(60):
            units = (1, 1, 3)[number % 3]
            await app.enqueue(
                "ab"[number % 2], "ab"[number % 2], units, units=units, group="xyz"[number // 7 % 3]
            )
        await until(lambda: ended == 60, 20)
    assert most <= 4


async def test_who_waits_for_a_shared_limit_goes_on_when_its_queue_draws_from_it_no_more(app: App) -> None:
    ran: list[int] = []
    queue, provider = app.queue("q"), app.shared("provider")
    await queue.limit(shared="provider")
    await provider.limit(rate="1/h")

    @app.task(queue="q")
    async def t(number: int) -> None:
        ran.append(number)

    async with working(app):
        for number in range(4):
            await t.options(group=f"g{number % 2}").enqueue(number)
        await until(lambda: len(ran) == 1)
        await queue.limit(shared=None)
        await until(lambda: len(ran) == 4)
        await queue.limit(shared="provider")
        await t.enqueue(5)
        await asyncio.sleep(0.1)
        assert len(ran) == 4
        assert await provider.unlimit()
        await until(lambda: len(ran) == 5)


# -- breakers ------------------------------------------------------------------------------------------------------


class Provider:
    """A task that fails as it is told to, after a while."""

    def __init__(self, app: App, limit: Limit | None, seconds: float = 0.0) -> None:
        self.works, self.starts, self.seconds = False, list[float](), seconds
        app.task(queue="q", name="t", limit=limit, attempts=1, backoff=None)(self.run)

    async def run(self, number: int) -> None:
        self.starts.append(time.monotonic())
        await asyncio.sleep(self.seconds if number else 0.4)
        if not self.works and number:
            raise ConnectionError("down")


async def test_a_job_that_still_runs_when_a_breaker_opens_leaves_nobody_waiting(app: App) -> None:
    provider = Provider(app, Limit(breaker=Breaker(0.5, window=60, least=3, rest=0.6)))
    async with working(app, concurrency=4) as worker:
        await worker.is_ready.wait()
        for number in range(12):  # the first is at it for longer
            await app.enqueue("q", "t", number, group=f"g{number}")
        await until(lambda: _is(app, "open", task="t"))
        provider.works = True
        await until(lambda: len(provider.starts) == 12, 5)


@pytest.mark.parametrize("how", ["pause", "open", "429"])
async def test_a_breaker_shortens_no_pause(app: App, how: str) -> None:
    queue = app.queue("q")
    provider = Provider(app, None, seconds=0.1)
    await queue.group("g").limit(breaker="50%/1m least 5 rest 100ms")
    async with working(app, concurrency=8):
        await app.enqueue_many("q", "t", range(1, 21), group="g")
        await until(lambda: len(provider.starts) == 8)
        if how == "pause":
            await queue.group("g").pause("maintenance")
        elif how == "open":
            await queue.breaker(group="g").open("maintenance", until="10m")
        else:
            await app.client.store.groups.pause(
                "q", "group:g", "maintenance", "", "9007199254740991", extend=True
            )
        await asyncio.sleep(0.5)
        assert len(provider.starts) == 8, "those that ran have failed, and nobody starts"
        pause = (await queue.group("g").status()).paused
        assert pause is not None
        assert pause.reason == "maintenance"


@pytest.mark.parametrize("how", ["none", "unlimit"])
async def test_a_breaker_that_is_taken_back_holds_nobody(app: App, how: str) -> None:
    queue, provider = app.queue("q"), Provider(app, None)
    await queue.group("g").limit(breaker="50%/1m least 2 rest 10m")
    async with working(app, concurrency=2):
        await app.enqueue_many("q", "t", range(1, 21), group="g")
        await until(lambda: _is(app, "open", group="g"))
        provider.works = True
        if how == "none":
            await queue.group("g").limit(breaker=None)
        else:
            await queue.group("g").unlimit()
        await until(lambda: len(provider.starts) == 20)
        assert await _is(app, "closed", group="g")


async def test_one_job_tries_at_a_time_however_long_it_takes_and_closes_the_breaker(app: App) -> None:
    provider = Provider(app, Limit(breaker=Breaker(0.5, window=60, least=3, rest=0.1)))
    async with working(app, concurrency=3) as worker:
        await worker.is_ready.wait()
        await app.enqueue_many("q", "t", range(1, 4))
        await until(lambda: _is(app, "open", task="t"))
        provider.works, provider.seconds = True, 0.5
        await app.enqueue_many("q", "t", range(1, 11))
        await until(lambda: len(provider.starts) == 4)
        await asyncio.sleep(0.3)
        assert len(provider.starts) == 4, "it still tries"
        await until(lambda: len(provider.starts) == 13)
        assert await _is(app, "closed", task="t")


async def _is(app: App, state: str, **of: Any) -> bool:
    return (await app.queue("q").breaker(**of).status()).state == state


# -- what was let through, held or counted --------------------------------------------------------------------------


async def test_what_was_let_through_as_it_was_made_goes_back_when_its_group_is_paused(app: App) -> None:
    ran: list[int] = []
    group = app.queue("q").group("g")

    @app.task(queue="q", group="g")
    async def t(number: int) -> None:
        ran.append(number)

    async with working(app):
        await (await t.enqueue(0)).result(5)
    for number in range(1, 7):  # the worker that waited has gone
        await t.enqueue(number)
    await group.pause()
    assert ((await group.status()).active, (await group.status()).waiting) == (0, 6)
    async with working(app):
        await asyncio.sleep(0.2)
        assert ran == [0]
        await group.limit(concurrency=1)
        await group.resume()
        await until(lambda: ran == list(range(7)))


async def test_a_strict_group_keeps_its_order_around_a_paused_task_and_jobs_that_are_due_at_once(
    app: App,
) -> None:
    ran: list[str] = []
    queue = app.queue("q")
    await queue.group("g").limit(concurrency=1)

    async def work(number: str) -> None:
        ran.append(number)

    for name in ("a", "b"):
        app.task(queue="q", name=name)(work)
    await queue.pause(task="a")
    for number in range(20):
        name = "ab"[number % 2]
        await app.enqueue("q", name, f"{name}{number}", group="g")
    async with working(app):
        await asyncio.sleep(0.1)
        assert ran == []
        await queue.resume(task="a")
        await until(lambda: len(ran) == 20)
        assert ran == [f"{'ab'[number % 2]}{number}" for number in range(20)]
        soon = datetime.now(UTC) + timedelta(seconds=1)
        for number in range(100, 200):
            await app.enqueue("q", "a", f"{number}", group="g", at=soon)
        await until(lambda: len(ran) == 120)
    assert ran[20:] == [f"{number}" for number in range(100, 200)]


async def test_jobs_of_a_key_that_is_free_again_count_in_their_line_and_start_in_their_turn(
    app: App, client: redis.Redis, prefix: str
) -> None:
    ran: list[int] = []
    queue = app.queue("q")
    await queue.group("g").limit(rate="1/200ms")

    @app.task(queue="q", group="g", unique=Unique(window=0.05))
    async def t(number: int) -> None:
        ran.append(number)

    for number in range(4):
        await t.options(key="k").enqueue(number)
        await asyncio.sleep(0.06)
    auditor = Auditor(app.client.store, lambda: ["q"])
    await auditor.once()
    await auditor.close()
    assert client.zscore(Keys(prefix, "q").lines, "g") == 4
    async with working(app):
        await until(lambda: ran == [0, 1, 2, 3], 5)


async def test_a_bound_counts_jobs_of_one_key_once_and_a_longer_window_what_has_started(app: App) -> None:
    queue, ran = app.queue("q"), list[int]()
    await queue.group("g").limit(max_waiting=1)

    @app.task(queue="q", group="g", unique=Unique(until="started"))
    async def t(number: int) -> None:
        ran.append(number)

    await app.enqueue_many("q", "t", [1, 1, 1], key="same")
    with pytest.raises(GroupFull):
        await t.options(key="other").enqueue(2)
    await queue.group("g").unlimit()
    await queue.group("g").limit(rate="3/100ms")
    async with working(app):
        await app.enqueue_many("q", "t", [1, 2, 3, 4])
        await until(lambda: len(ran) >= 3)
        await queue.group("g").limit(rate="3/10s")
        await asyncio.sleep(1.5)  # the list of the shorter window would be gone
        before = len(ran)
        await app.enqueue_many("q", "t", [5, 6, 7, 8])
        await asyncio.sleep(0.2)
        assert len(ran) - before <= 1
        assert (await queue.counts()).asdict()[State.HELD] >= 3
