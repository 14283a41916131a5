"""What goes wrong around schedules: full queues, processes that are killed between two queues, foreign data."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
import redis

from streamq import App, Calendar, Context, InvalidSchedule, Job, Masked, QueueFull, UsageError
from streamq.doctor import Finding, examine
from streamq.duties.ticker import AGAIN
from streamq.model.clock import from_ms
from streamq.model.keys import Keys
from streamq.model.schedule import Schedule

from ..rig import ON_ONE_SERVER, shared_keys, until, working
from .test_schedules import HOURLY, now_ms, plan, runs, ticked

pytestmark = ON_ONE_SERVER


# -- a full queue -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("misfire", "made_up", "missed"), [("once", 1, 0), ("skip", 0, 1)])
async def test_a_planned_time_that_finds_its_queue_full_is_made_up_for_or_told_as_missed(
    app: App,
    client: redis.Redis,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
    misfire: Any,
    made_up: int,
    missed: int,
) -> None:
    queue = app.queue("q")
    await app.enqueue("q", "work", 1)
    await queue.limit(max_waiting=1)
    await app.schedules.put("s", **HOURLY, misfire=misfire)
    planned = now_ms(client) - 100
    plan(client, prefix, "s", planned)
    with caplog.at_level(logging.WARNING):
        await ticked(app)
    assert "schedule s waits: as many jobs wait in queue q as may" in caplog.text
    told = await app.schedules.get("s")
    assert (told.next_at, told.runs, told.missed) == (from_ms(planned), 0, 0), "it waits, and can be seen to"
    with pytest.raises(QueueFull, match="1 job waits, at most 1 may"):
        await app.schedules.run("s")
    plan(client, prefix, "s", planned - 10_000)  # it has waited for so long
    await queue.limit(max_waiting=None)
    await ticked(app)
    told = await app.schedules.get("s")
    assert (told.runs, told.missed) == (made_up, missed)
    assert client.xlen(Keys(prefix, "q").ready) == 1 + made_up


async def test_who_ticks_looks_again_at_a_full_queue_once_a_second(
    app: App, client: redis.Redis, prefix: str
) -> None:
    from streamq.duties.ticker import Ticker

    await app.queue("q").limit(max_waiting=0)
    await app.schedules.put("s", **HOURLY)
    plan(client, prefix, "s", now_ms(client) - 100)
    ticker = Ticker(app.client.store, lambda: ["q"])
    try:
        assert await ticker.once() == 0
        table = ticker._tables["q"]
        assert table.first is not None
        assert table.first > now_ms(client) + AGAIN * 900
    finally:
        await ticker.close()


# -- an outage ----------------------------------------------------------------------------------------------------


async def test_after_thirty_seconds_each_second_is_run_once_or_told_as_missed(
    app: App, client: redis.Redis, prefix: str
) -> None:
    first = now_ms(client) // 1000 * 1000 - 30_000
    for misfire in ("all", "once", "skip"):
        await app.schedules.put(misfire, task="work", queue="q", every=1, start=from_ms(0), misfire=misfire)  # type: ignore[arg-type]
        plan(client, prefix, misfire, first)
    await asyncio.gather(*[ticked(app) for _ in range(5)])
    for record in await app.schedules.list():
        planned = [at for name, at in runs(client, prefix) if name == record.name]
        assert record.next_at is not None
        following = int(record.next_at.timestamp() * 1000)
        assert planned[-1] == following - 1000, "the last of them is on time, so `skip` has it too"
        assert len(planned) + record.missed == (following - first) // 1000
        every = list(range(first, following, 1000))
        assert planned in ([every] if record.name == "all" else [every[-1:], every[-2:]])


# -- from one queue to another ------------------------------------------------------------------------------------


class Killed(BaseException):
    """In the place of SIGKILL: nothing is done after it."""


@pytest.mark.parametrize("at", ["arrive", "_put", "claim", "remove"])
@pytest.mark.parametrize("paused", [False, True])
async def test_a_process_that_is_killed_as_a_schedule_goes_to_another_queue_leaves_it_to_others(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch, at: str, paused: bool
) -> None:
    """A planned time is run in one of them, and the pause goes along."""
    before = await app.schedules.put("s", **HOURLY)
    if paused:
        before = await app.schedules.pause("s", reason="why")
    store = app.client.store.schedules

    def kill(*_: Any) -> None:
        raise Killed

    leave = store.leave

    async def leave_and_die(*given: Any) -> bool:
        left = await leave(*given)
        monkeypatch.setattr(store, at, kill)
        return left

    with monkeypatch.context() as patched:
        patched.setattr(store, "leave", leave_and_die)
        with pytest.raises(Killed):
            await app.schedules.put("s", **{**HOURLY, "queue": "other"})
    monkeypatch.undo()
    assert client.zscore(Keys(prefix, "q").ticks, "s") is None, "it rests"

    assert await store.forget_ended("q") == 0  # what is done once a minute
    (after,) = await app.schedules.list()
    assert (after.schedule.queue, after.state) == ("other", "paused" if paused else "active")
    assert (after.next_at, after.version > before.version) == (before.next_at, True)
    assert (after.paused.reason if after.paused else None) == ("why" if paused else None)
    assert client.hgetall(shared_keys(prefix).schedules) == {"s": f"other {after.version - 1}"}
    assert not client.exists(Keys(prefix, "q").schedules, Keys(prefix, "q").ticks, Keys(prefix, "q").runs)


async def test_who_is_late_with_a_move_takes_and_removes_nothing_of_a_later_one(app: App) -> None:
    store, first = app.client.store.schedules, await app.schedules.put("s", **HOURLY)
    assert await store.leave(first, replace(first.schedule, queue="other"), None)
    left = await store.get("q", "s")
    assert left is not None
    assert (await app.schedules.get("s")).schedule.queue == "other"
    back = await app.schedules.put("s", **HOURLY)
    await store.arrive(left)
    assert await app.schedules.list() == [back]
    assert await store.leave(back, replace(back.schedule, queue="other"), None)
    await store.arrive(left)
    assert [each.schedule.queue for each in await app.schedules.list()] == ["other"]


async def test_a_schedule_that_was_left_between_two_queues_is_found_by_whoever_asks_for_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    store, there = app.client.store.schedules, Schedule(name="s", queue="other", task="work", every=3600.0)
    for ask in ("list", "get", "remove"):
        before = await app.schedules.put("s", **HOURLY)
        assert before.next_at is not None
        assert await store.leave(before, there, int(before.next_at.timestamp() * 1000))
        if ask == "list":
            assert [each.schedule.queue for each in await app.schedules.list()] == ["other"]
        elif ask == "get":
            assert (await app.schedules.get("s")).next_at == before.next_at
        else:
            await app.schedules.remove("s")
            assert not client.keys(f"{prefix}*schedules")


async def test_a_schedule_that_goes_to_another_queue_as_it_is_read_is_found_there(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.schedules.put("s", **HOURLY)
    store = app.client.store.schedules
    read = store.get

    async def read_late(queue: str, name: str) -> Any:
        monkeypatch.setattr(store, "get", read)
        await app.schedules.put("s", **{**HOURLY, "queue": "other"})
        return await read(queue, name)

    monkeypatch.setattr(store, "get", read_late)
    assert (await app.schedules.get("s")).schedule.queue == "other"


async def test_a_planned_time_goes_along_to_the_other_queue(
    app: App, client: redis.Redis, prefix: str
) -> None:
    await app.schedules.put("s", **HOURLY)
    at = now_ms(client) - 100
    plan(client, prefix, "s", at)
    assert (await app.schedules.put("s", **{**HOURLY, "queue": "other"})).next_at == from_ms(at)


# -- what its jobs say --------------------------------------------------------------------------------------------


async def test_a_job_of_a_schedule_has_its_priority_its_payload_version_and_its_masks(app: App) -> None:
    seen: list[tuple[str, int]] = []
    jobs: list[Job[Any]] = []

    def upgrade(payload: Any, version: int) -> Any:
        raise AssertionError(f"{payload} of version {version} needs no upgrade")

    @app.task(queue="q", version=2, upgrade=upgrade)
    async def pay(card: Annotated[str, Masked], amount: int, ctx: Context) -> None:
        seen.append((card, amount))

    for overlap in ("allow", "skip", "queue"):
        payload = {"card": "4111", "amount": 5}
        record = await app.schedules.put(overlap, task="pay", payload=payload, every="1h", priority="high",
                                         overlap=overlap)  # type: ignore[arg-type]  # fmt: skip
        assert record.asdict()["payload"] == {"card": "***", "amount": 5}
        assert (record.asdict()["priority"], record.asdict()["payload_version"]) == ("high", 2)
        jobs.append(await app.schedules.run(overlap))
        told = await app.queue("q").get(jobs[-1].id)
        assert (told.priority, told.payload_version) == ("high", 2)
        assert (told.state.value, told.payload) == ("waiting", {"card": "***", "amount": 5})
    assert (
        await app.schedules.put("allow", task="pay", payload=payload, every="1h", priority="high")
    ).version == 1
    async with working(app):
        for job in jobs:
            await job.result(5)
    assert seen == [("4111", 5)] * 3
    with pytest.raises(InvalidSchedule, match="its payloads are of version 2"):
        await app.schedules.put("s", task="pay", payload=payload, every=5, payload_version=1)


async def test_where_the_task_is_not_known_a_schedule_says_the_version_of_its_payload(app: App) -> None:
    await app.schedules.put("s", **HOURLY, payload_version=3)
    job = await app.schedules.run("s")
    assert (await job.status()).payload_version == 3


async def test_a_one_off_that_is_over_is_told_as_ended_and_is_removed_in_the_end(app: App) -> None:
    over = datetime(2020, 1, 1, tzinfo=UTC)
    assert (await app.schedules.put("s", task="work", queue="q", at=over)).state == "ended"
    assert (await app.schedules.put("t", **{**HOURLY, "start": None}, end=over)).state == "ended"
    assert await app.client.store.schedules.forget_ended("q") == 2
    assert not await app.schedules.list()


# -- all that is wrong at once ------------------------------------------------------------------------------------


async def test_all_that_is_wrong_with_a_schedule_is_told_at_once(app: App) -> None:
    @app.task(queue="q")
    async def work(number: int) -> None: ...

    with pytest.raises(InvalidSchedule) as caught:
        app.schedules.made(
            "a/b", task="work", payload="x",
            options={"cron": "61 * * * *", "zone": "Europe/Berln", "jitter": -1, "overlap": "never"},
        )  # fmt: skip
    assert {error.pointer for error in caught.value.errors} == {
        "/name", "/cron", "/zone", "/jitter", "/overlap", "/payload",
    }  # fmt: skip
    with pytest.raises(InvalidSchedule) as caught:
        app.schedules.made("s", task="work", payload=1, options={"every": 0.5, "zone": "Berlin/Europe"})
    assert [error.pointer for error in caught.value.errors] == ["/every", "/zone"]


async def test_what_lies_beyond_all_calendars_or_on_one_host_alone_is_refused(app: App) -> None:
    schedules = app.schedules

    def refused(said: str, **options: Any) -> None:
        with pytest.raises(InvalidSchedule, match=said):
            schedules.made("s", queue="q", task="work", options={"every": 60, **options})

    for window in (("2026-01-01", "9999-12-31"), ("2026-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00")):
        refused(
            "calendar: .* it must be in the years from 1970 to 9000", calendar=Calendar(blackouts=[window])
        )
    for zone in ("localtime", "posixrules"):
        refused("there is no time zone of that name", zone=zone)
    made = schedules.made("s", queue="q", task="work", options={"every": 60})
    for count in (0, 101, "5", 1.5, None, True):
        with pytest.raises(UsageError, match="is not a number of planned times: use 1 to 100"):
            schedules.preview(made, count)  # type: ignore[arg-type]
    for after in ("today", 5, datetime(2026, 1, 1), datetime(9999, 12, 31, tzinfo=UTC)):  # without a zone
        with pytest.raises(UsageError, match=r"after=.* is not possible"):
            schedules.preview(made, after=after)  # type: ignore[arg-type]


# -- what the doctor says -------------------------------------------------------------------------------------------


async def test_the_doctor_tells_of_schedules_that_nobody_runs_that_wait_and_that_cannot_be_read(
    app: App, client: redis.Redis, prefix: str
) -> None:
    async def found() -> dict[str, Finding]:
        return {each.code: each for each in await examine(app) if each.check == "schedules"}

    await app.schedules.put("s", **HOURLY)
    assert not await found()
    plan(client, prefix, "s", now_ms(client) - 10_000)
    unrun = (await found())["schedules-unrun"]
    assert (unrun.verdict, unrun.said[:35]) == ("fail", "schedule s of queue 'q' should have")
    await app.queue("q").limit(max_waiting=0)
    client.hset(Keys(prefix, "q").schedules, "broken", "7 nothing")
    async with working(app, queues=["q"]):
        await until(lambda: client.exists(*Keys(prefix, "q").seats(1)))
        told = await found()
    assert {code: each.verdict for code, each in told.items()} == {
        "schedules-late": "warn", "schedules-unreadable": "warn",
    }  # fmt: skip


@pytest.mark.parametrize("key", ["schedules", "ticks", "runs"])
async def test_a_key_of_another_type_in_one_queue_hides_no_schedule_of_another_and_the_doctor_names_it(
    app: App, client: redis.Redis, prefix: str, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    await app.schedules.put("s", **HOURLY)
    await app.schedules.put("t", **{**HOURLY, "queue": "other"})
    name = getattr(Keys(prefix, "other"), key)
    client.delete(name)
    client.set(name, "another's")
    assert [each.name for each in await app.schedules.list()] == ["s"]
    assert "what is kept of schedules" in caplog.text
    (found,) = [each for each in await examine(app) if each.check == "keys"]
    assert (found.code, found.verdict) == ("key-of-another-type", "fail")
    assert name in found.said


# -- what others wrote --------------------------------------------------------------------------------------------


FOREIGN = (
    '"every":"x"', '"cron":5', '"task":5,"every":5', '"every":5,"jitter":[]', '"every":5,"misfire_limit":"all"',
    '"every":5,"zone":null', '"every":5,"calendar":{"blackouts":[5]}', '"every":5,"masked":5', '"every":-5',
    '"every":1e308', '"at":"never"', '"every":5,"start":"2026-01-01T00:00:00"', '"every":5,"moving":["a b",5]',
    '"every":5,"moving":5', '"every":5,"priority":"urgent"',
    '"every":5,"overlap":"never"',
)  # fmt: skip


async def test_foreign_data_in_the_place_of_a_schedule_stops_no_other(
    app: App, client: redis.Redis, prefix: str
) -> None:
    await app.schedules.put("s", **HOURLY)
    keys = Keys(prefix, "q")
    kept = ["[]", "5", '{"every":5}', *(f'{{"task":"t",{said}}}' for said in FOREIGN)]
    for number, said in enumerate(kept):
        client.hset(keys.schedules, f"odd-{number}", f"1 {said}\nnull")
        client.hset(shared_keys(prefix).schedules, f"odd-{number}", "q")
        plan(client, prefix, f"odd-{number}", now_ms(client) - 200)
    plan(client, prefix, "s", now_ms(client) - 100)
    await ticked(app)
    assert "s" in [name for name, _ in runs(client, prefix)]
    assert "s" in [each.name for each in await app.schedules.list() if each.asdict()]
    await app.client.store.schedules.forget_ended("q")
    for number in range(len(kept)):
        await app.schedules.remove(f"odd-{number}")
    assert client.hkeys(keys.schedules) == ["s"]
