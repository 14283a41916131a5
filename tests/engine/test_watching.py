"""Watching a job: its states, its progress, its lines and its end, each once and in order, whatever happens between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App, Context, JobNotFound, JobRecord, LogLine, NotOpen, Progress, StateChange, UsageError
from streamq.client import watching
from streamq.client.watching import Watching

from ..rig import ON_ONE_SERVER, until, working


def declare(app: App) -> Any:
    @app.task(queue="q", attempts=1)
    async def steps(x: int, ctx: Context) -> int:
        for number in range(x):
            await ctx.progress(number / x, data=number)
            ctx.log(f"line {number}")
            await asyncio.sleep(0.02)
        return x

    return steps


async def events_of(job: Any) -> list[Any]:
    return [event async for event in job.watch()]


def lines_in(events: list[Any]) -> list[int]:
    return [event.number for event in events if isinstance(event, LogLine)]


async def test_who_watches_hears_all_in_order_until_the_end(app: App) -> None:
    steps = declare(app)
    job = await steps.enqueue(10)
    early = asyncio.create_task(events_of(job))
    await asyncio.sleep(0.1)
    async with working(app):
        events = await early
    assert [event.state for event in events if isinstance(event, StateChange)] == ["waiting", "active"]
    assert lines_in(events) == list(range(1, 11))
    told = [event.data for event in events if isinstance(event, Progress)]
    assert told == sorted(set(told))
    assert told[-1] == 9
    assert isinstance(events[-1], JobRecord)
    assert (events[-1].state, events[-1].result) == ("completed", 10)
    late = await events_of(job)  # a job that has ended tells what is there
    assert lines_in(late) == lines_in(events)
    assert late[-1] == events[-1]
    behind = [event async for event in app.queue("q").watch(job.id, after=8)]
    assert lines_in(behind) == [9, 10]


@ON_ONE_SERVER
async def test_a_lost_connection_costs_no_line(app: App, client: redis.Redis) -> None:
    steps = declare(app)
    async with working(app):
        job = await steps.enqueue(40)
        watched = asyncio.create_task(events_of(job))
        for _ in range(2):
            await asyncio.sleep(0.25)
            for connection in client.client_list():
                if connection["name"] == "streamq-signals":
                    client.client_kill_filter(_id=connection["id"])
        events = await watched
    assert lines_in(events) == list(range(1, 41))
    assert events[-1].state == "completed"


@ON_ONE_SERVER
async def test_a_slow_watcher_has_a_bounded_backlog_and_misses_no_kept_line(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BEHIND", 5)
    steps = declare(app)
    async with working(app):
        job, events = await steps.enqueue(60), list[Any]()
        async for event in job.watch():
            events.append(event)
            if len(events) == 3:
                await asyncio.sleep(1.0)
    assert lines_in(events) == list(range(1, 61))


@ON_ONE_SERVER
async def test_all_watchers_of_a_process_share_one_connection(app: App, client: redis.Redis) -> None:
    steps = declare(app)
    job = await steps.enqueue(5)
    watchers = [asyncio.create_task(events_of(job)) for _ in range(1_000)]
    await until(lambda: _connections(client))
    async with working(app):
        events = await asyncio.gather(*watchers)
        assert _connections(client) <= 2  # this process's, by one name: it has no other server
    assert {tuple(lines_in(each)) for each in events} == {(1, 2, 3, 4, 5)}


def _connections(client: redis.Redis) -> int:
    return sum(connection["name"] == "streamq-signals" for connection in client.client_list())


@ON_ONE_SERVER
async def test_what_cannot_be_watched_says_so(make_app: Callable[..., App]) -> None:
    async with make_app() as app:
        with pytest.raises(JobNotFound):
            [event async for event in app.queue("q").watch("1-1")]
        with pytest.raises(UsageError, match="number of a line"):
            [event async for event in app.queue("q").watch("1-1", after=-1)]
        job = await app.enqueue("q", "any")
        watched = asyncio.create_task(events_of(job))
        await asyncio.sleep(0.1)
    with pytest.raises(NotOpen):
        await watched


@ON_ONE_SERVER
async def test_a_thread_watches_too(app: App) -> None:
    steps = declare(app)
    async with working(app):
        job = await asyncio.to_thread(app.sync.enqueue, steps, 3)
        events = await asyncio.to_thread(lambda: list(job.watch()))
        assert (
            lines_in(events)
            == [1, 2, 3]
            == [line.number for line in (await asyncio.to_thread(job.logs)).lines]
        )
        await asyncio.to_thread(app.sync.close)


@ON_ONE_SERVER
async def test_a_signal_that_is_not_ours_is_no_harm(app: App, client: redis.Redis) -> None:
    steps = declare(app)
    job = await steps.enqueue(3)
    watched = asyncio.create_task(events_of(job))
    keys = app.client.store.keys("q")
    await until(lambda: client.pubsub_numsub(keys.reported)[0][1])
    hub: Watching = app.client.openings.here().watching("q")
    foreign = f"report {job.id} 1 7 3\n\n{{[\n".encode()
    for strange in (b"", b"report\n\n", b"report 1-1 9 9 9\n\n", b"\xff\n\n", foreign):
        hub._heard_report(strange)
    async with working(app):
        assert lines_in(await watched) == [1, 2, 3]
