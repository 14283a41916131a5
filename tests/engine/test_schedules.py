"""Schedules in Redis: made, changed, paused, run once at each planned time, and told of as they are."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from streamq import (
    App,
    Calendar,
    Context,
    ScheduleConflict,
    ScheduleNotFound,
    Scheduler,
    State,
)
from streamq.duties.ticker import Ticker
from streamq.model import calendars, codec
from streamq.model.clock import from_ms
from streamq.model.keys import Keys
from streamq.store.schedules import SAME

from ..rig import ON_ONE_SERVER, shared_keys, until, working

_BEGUN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
HOURLY: dict[str, Any] = {"task": "work", "queue": "q", "every": "1h", "start": _BEGUN}
"""No test runs into one of its times."""


def now_ms(client: redis.Redis) -> int:
    seconds, micros = client.time()
    return int(seconds * 1000 + micros // 1000)


def runs(client: redis.Redis, prefix: str) -> list[tuple[str, int]]:
    """Schedule and planned time of each job that waits, in order."""
    found = [codec.loads(fields["headers"]) for _, fields in client.xrange(Keys(prefix, "q").ready)]
    return [(headers["schedule"], headers["planned"]) for headers in found]


def plan(client: redis.Redis, prefix: str, name: str, at: int) -> None:
    """Its next planned time is that one."""
    client.zadd(Keys(prefix, "q").ticks, {name: at})


async def ticked(app: App) -> int:
    """One turn of a ticker of its own."""
    ticker = Ticker(app.client.store, lambda: ["q"])
    try:
        return await ticker.once()
    finally:
        await ticker.close()


async def test_of_many_schedulers_one_runs_a_planned_time(app: App, client: redis.Redis, prefix: str) -> None:
    record = await app.schedules.put("s", **HOURLY)
    assert record.next_at is not None
    planned = int(record.next_at.timestamp() * 1000) - 3_600_000
    plan(client, prefix, "s", planned)
    await asyncio.gather(*[ticked(app) for _ in range(5)])
    assert runs(client, prefix) == [("s", planned)]
    after = await app.schedules.get("s")
    assert after.next_at == record.next_at
    assert (after.runs, after.missed) == (1, 0)
    assert after.last_job is not None
    assert (await app.queue("q").get(after.last_job)).task == "work"


@pytest.mark.parametrize(("misfire", "expected", "missed"), [("skip", 0, 4), ("once", 1, 3), ("all", 3, 1)])
@ON_ONE_SERVER
async def test_after_an_outage_the_misfire_policy_decides(
    app: App, client: redis.Redis, prefix: str, misfire: Any, expected: int, missed: int
) -> None:
    half_an_hour_off = from_ms(now_ms(client)) - timedelta(
        hours=9, minutes=30
    )  # so that none of them is on time
    record = await app.schedules.put(
        "s", **{**HOURLY, "start": half_an_hour_off}, misfire=misfire, misfire_limit=3
    )
    assert record.next_at is not None
    following = int(record.next_at.timestamp() * 1000)
    times = [following - hours * 3_600_000 for hours in (4, 3, 2, 1)]
    plan(client, prefix, "s", times[0])
    await ticked(app)
    assert runs(client, prefix) == [("s", at) for at in times[len(times) - expected :]]
    after = await app.schedules.get("s")
    assert (after.runs, after.missed, after.next_at) == (expected, missed, record.next_at)


@ON_ONE_SERVER
async def test_a_run_is_left_out_while_the_job_of_the_one_before_is_not_at_its_end(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q")
    async def work(number: int) -> None: ...

    await app.schedules.put("s", task="work", payload=1, every="1h", overlap="skip")
    first = await app.schedules.run("s")
    with pytest.raises(ScheduleConflict, match=f"{first.id}, is not at its end"):
        await app.schedules.run("s")
    plan(client, prefix, "s", now_ms(client) - 100)
    await ticked(app)
    after = await app.schedules.get("s")
    assert (after.runs, after.skipped, after.last_job) == (1, 1, first.id)
    async with working(app):
        await first.result(5)
        await (await app.schedules.run("s")).result(5)


@ON_ONE_SERVER
async def test_runs_that_are_to_queue_wait_for_those_before_and_are_run_one_after_the_other(
    app: App, client: redis.Redis, prefix: str
) -> None:
    at_once: list[int] = []

    @app.task(queue="q", attempts=2, backoff=None)
    async def work(number: int, ctx: Context) -> None:
        at_once.append(1)
        await asyncio.sleep(0.005)
        at_once.pop()
        assert not at_once, "two runs at once"

    await app.schedules.put("s", task="work", payload=1, every="1h", overlap="queue")
    jobs = [await app.schedules.run("s")]
    plan(client, prefix, "s", now_ms(client) - 100)
    await ticked(app)
    jobs += [await app.schedules.run("s") for _ in range(3)]
    counts = await app.queue("q").counts()
    assert (counts.waiting, counts.held) == (1, 4)
    async with working(app):
        await jobs[-1].result(5)
    assert (await app.queue("q").counts()).completed == 5
    assert not client.exists(Keys(prefix, "q").unique)


@ON_ONE_SERVER
async def test_a_run_of_a_paused_task_is_held(app: App) -> None:
    await app.schedules.put("s", queue="q", task="work", payload=1, every="1h")
    await app.queue("q").pause(task="work")
    job = await app.schedules.run("s")
    assert (await job.status()).state is State.HELD


@ON_ONE_SERVER
async def test_a_handler_knows_the_schedule_and_the_planned_time_also_when_jitter_puts_it_off(
    app: App, client: redis.Redis, prefix: str
) -> None:
    seen: list[Context] = []

    @app.task(queue="q")
    async def work(number: int, ctx: Context) -> None:
        seen.append(ctx)

    await app.schedules.put("s", task="work", payload=1, every="1h", jitter="600ms")
    planned = now_ms(client) + 50
    plan(client, prefix, "s", planned)
    async with working(app):
        await until(lambda: seen)
        late = now_ms(client) - planned
    assert seen[0].schedule == "s"
    assert seen[0].planned_at == datetime.fromtimestamp(planned / 1000, UTC)
    assert 0 <= late < 5_000
    job = await app.queue("q").get(seen[0].job_id)
    assert job.created_at is not None


@ON_ONE_SERVER
async def test_a_worker_runs_a_schedule_in_time_and_hears_of_changes(app: App, client: redis.Redis) -> None:
    late: list[float] = []

    @app.schedule(cron="* * * * * *", payload=7)
    @app.task(queue="q")
    async def work(number: int, ctx: Context) -> None:
        assert ctx.planned_at is not None
        late.append(int(ctx.job_id.partition("-")[0]) - ctx.planned_at.timestamp() * 1000)

    async with working(app):
        await until(lambda: late)
        await app.schedules.pause("work", reason="a test")
        await asyncio.sleep(0.1)
        count = len(late)
        await asyncio.sleep(1.2)
        assert len(late) == count, "it runs while it is paused"
        soon = datetime.fromtimestamp(now_ms(client) / 1000, UTC) + timedelta(milliseconds=300)
        await app.schedules.put("once", task="work", payload=1, at=soon)
        await until(lambda: len(late) > count)
        assert late[-1] < 2_000, "it hears of the schedule at once"
        assert (await app.schedules.get("once")).state == "ended"
        paused = await app.schedules.get("work")
        assert paused.state == "paused"
        assert paused.paused is not None
        assert paused.paused.reason == "a test"
        assert (await app.schedules.resume("work")).state == "active"
    assert min(late) >= 0, "no run is early"
    assert min(late) < 100


@ON_ONE_SERVER
async def test_what_code_declares_is_kept_and_told_as_orphaned_when_it_is_no_more(
    make_app: Callable[..., App], client: redis.Redis
) -> None:
    def declared(**options: Any) -> App:
        app = make_app()

        async def work(number: int = 1) -> None: ...

        task = app.task(queue="q")(work)
        for name, when in options.items():
            app.schedule(name=name, payload=1, **when)(task)
        return app

    async with declared(a={"every": 3600}, b={"every": 3600}) as app, working(app):
        await until(app.workers)
        found = await app.schedules.list()
        assert [(each.name, each.orphaned) for each in found] == [("a", False), ("b", False)]
        for forbidden in (
            app.schedules.put("a", task="work", payload=1, every=60),
            app.schedules.remove("a"),
        ):
            with pytest.raises(ScheduleConflict, match="code declares it"):
                await forbidden
        await app.schedules.pause("a")
    async with declared(a={"every": 60}) as app, working(app):
        await until(app.workers)
        a, b = await app.schedules.list()
        assert (a.version, a.schedule.every, a.state, a.orphaned) == (2, 60, "paused", False)
        assert a.next_at is None
        assert (b.version, b.state, b.orphaned) == (1, "active", True)
        await app.schedules.remove("b")
        with pytest.raises(ScheduleNotFound):
            await app.schedules.get("b")


@ON_ONE_SERVER
async def test_a_change_is_guarded_by_the_version_and_nothing_changes_when_it_is_refused(app: App) -> None:
    first = await app.schedules.put("s", **HOURLY, version=0)
    assert await app.schedules.put("s", **HOURLY) == first, "the same again changes nothing"
    for version in (0, 2):
        with pytest.raises(ScheduleConflict, match="it is at version 1"):
            await app.schedules.put("s", **{**HOURLY, "every": 60}, version=version)
    with pytest.raises(ScheduleConflict, match="there is none"):
        await app.schedules.put("t", **HOURLY, version=1)
    changed = await app.schedules.put("s", **HOURLY, payload=[1], version=1)
    assert (changed.version, changed.next_at) == (2, first.next_at), "planned for the same times"
    assert [each.name for each in await app.schedules.list()] == ["s"]
    many = await asyncio.gather(
        *[app.schedules.put("s", **HOURLY, payload=n) for n in range(8)], return_exceptions=True
    )
    written = [each for each in many if not isinstance(each, Exception)]
    assert written
    assert (await app.schedules.get("s")).version == 2 + len(written), "none was written over unseen"
    assert all(not isinstance(each, Exception) or isinstance(each, ScheduleConflict) for each in many)


@ON_ONE_SERVER
async def test_a_change_at_the_moment_of_a_run_runs_no_planned_time_twice(
    app: App, client: redis.Redis, prefix: str
) -> None:
    record = await app.schedules.put("s", **HOURLY)
    planned, store = now_ms(client) - 100, app.client.store.schedules
    plan(client, prefix, "s", planned)
    await ticked(app)
    changed = replace(record.schedule, payload=b"7")
    assert await store.put(changed, record.version, planned) is None, (
        "as whoever read it before the run would"
    )
    assert not await store.pause("q", "s", record.version, b"", planned)
    assert await store.put(changed, record.version, SAME) == 2
    assert (await app.schedules.get("s")).next_at == record.next_at
    assert await ticked(app) == 0


@ON_ONE_SERVER
async def test_a_name_is_unique_in_the_app_and_may_go_to_another_queue(
    app: App, client: redis.Redis, prefix: str
) -> None:
    await app.schedules.put("s", **HOURLY)
    await app.schedules.pause("s", reason="why")
    moved = await app.schedules.put("s", **{**HOURLY, "queue": "other"})
    assert (moved.schedule.queue, moved.state) == ("other", "paused")
    assert client.hgetall(shared_keys(prefix).schedules) == {"s": f"other {moved.version - 1}"}
    assert not client.exists(Keys(prefix, "q").schedules, Keys(prefix, "q").ticks, Keys(prefix, "q").runs)
    await app.schedules.remove("s")
    assert not client.exists(shared_keys(prefix).schedules, Keys(prefix, "other").schedules)


@ON_ONE_SERVER
async def test_a_schedule_that_cannot_be_read_stops_no_other(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    await app.schedules.put("s", **HOURLY)
    keys, at = Keys(prefix, "q"), now_ms(client) - 100
    client.hset(keys.schedules, "broken", "7 nothing")
    client.hset(shared_keys(prefix).schedules, "broken", "q")
    for name in ("s", "broken", "gone"):
        plan(client, prefix, name, at)
    await ticked(app)
    assert [name for name, _ in runs(client, prefix)] == ["s"]
    assert [each.name for each in await app.schedules.list()] == ["s"]
    assert "schedule" in caplog.text
    with pytest.raises(ScheduleConflict, match="cannot be read"):
        await app.schedules.get("broken")
    await app.schedules.remove("broken")
    assert list(client.hkeys(keys.schedules)) == ["s"]


@ON_ONE_SERVER
async def test_a_schedule_that_needs_what_is_not_installed_here_is_left_to_others(
    app: App,
    client: redis.Redis,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, calendar in (("s", None), ("t", Calendar("DE"))):
        await app.schedules.put(name, **HOURLY, calendar=calendar)
        plan(client, prefix, name, now_ms(client) - 100)
    monkeypatch.setitem(sys.modules, "holidays", None)
    calendars._holidays.cache_clear()
    await ticked(app)
    assert [name for name, _ in runs(client, prefix)] == ["s"]
    assert "schedule t of queue q cannot run in this process" in caplog.text
    assert "pip install 'streamq[calendar]'" in caplog.text
    monkeypatch.undo()
    await ticked(app)
    assert [name for name, _ in runs(client, prefix)] == ["s", "t"]


@ON_ONE_SERVER
async def test_a_queue_that_has_but_a_schedule_stays_known_to_schedulers(
    app: App, client: redis.Redis, prefix: str
) -> None:
    from streamq.duties.pruner import Pruner

    await app.schedules.put("s", task="work", queue="q", every=1)
    pruner = Pruner(app.client.store, lambda: ["q"])
    await pruner.once()
    await pruner.close()
    assert "q" in await app.queues()
    scheduling = asyncio.create_task(Scheduler(app).run())
    try:
        await until(lambda: runs(client, prefix))
    finally:
        scheduling.cancel()
        await asyncio.wait([scheduling])


@ON_ONE_SERVER
async def test_what_was_made_at_run_time_and_has_ended_is_removed_in_the_end(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    async with make_app(keep_completed_for=0.05) as app:
        at = datetime.fromtimestamp(now_ms(client) / 1000 + 0.05, UTC)
        await app.schedules.put("once", task="work", queue="q", at=at)
        await app.schedules.put("s", **HOURLY)
        assert await app.client.store.schedules.forget_ended("q") == 0
        await asyncio.sleep(0.1)
        await ticked(app)
        await asyncio.sleep(0.1)
        assert await app.client.store.schedules.forget_ended("q") == 1
        assert [each.name for each in await app.schedules.list()] == ["s"]
        assert client.hkeys(shared_keys(prefix).schedules) == ["s"]


@ON_ONE_SERVER
async def test_a_deputy_runs_what_its_chief_leaves_lying(app: App, client: redis.Redis, prefix: str) -> None:
    await app.schedules.put("s", **HOURLY)
    deputy = Ticker(app.client.store, tuple, overdue=lambda: ["q"])
    try:
        plan(client, prefix, "s", now_ms(client) - 100)
        assert await deputy.once() == 0, "its chief has some time"
        plan(client, prefix, "s", now_ms(client) - 1_000)
        assert await deputy.once() == 1
    finally:
        await deputy.close()
    assert len(runs(client, prefix)) == 1
