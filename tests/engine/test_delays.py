"""Delays: never early by the server's clock, soon after, and each job once however many schedulers there are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis

from streamq import App, Scheduler, State
from streamq.duties import alarm
from streamq.duties.duty import tick
from streamq.duties.promoter import POLL, Promoter
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, census, until, working
from ..servers import Server


def _now(client: redis.Redis) -> float:
    seconds, micros = client.time()
    return seconds + micros / 1e6


async def test_no_delayed_job_starts_early_and_none_much_later(app: App, client: redis.Redis) -> None:
    started: dict[int, float] = {}

    @app.task(queue="q")
    async def work(number: int) -> None:
        started[number] = _now(client)

    due: dict[int, float] = {}
    async with working(app):
        for number in range(40):
            delay = 0.05 + number * 7 % 40 / 100
            due[number] = _now(client) + delay
            await work.enqueue(number, delay=delay)
        await until(lambda: len(started) == 40)
    late = [started[number] - due[number] for number in due]
    assert min(late) >= -0.001, "the server's scripts count in whole milliseconds"
    assert sorted(late)[20] < 0.1, f"half of them later than {sorted(late)[20]:.3f} s"


async def test_a_job_at_a_time_starts_at_that_time_and_one_in_the_past_at_once(
    app: App, client: redis.Redis
) -> None:
    started: list[float] = []

    @app.task(queue="q")
    async def work(number: int) -> None:
        started.append(_now(client))

    async with working(app):
        at = datetime.fromtimestamp(_now(client) + 0.2, UTC)
        await work.enqueue(1, at=at)
        await until(lambda: started)
        assert started[0] >= at.timestamp() - 0.001
        job = await work.enqueue(2, at=at - timedelta(days=1))
        await job.result(5)


async def test_a_sleeping_scheduler_is_woken_by_an_earlier_job(app: App) -> None:
    @app.task(queue="q")
    async def work(number: int) -> None: ...

    scheduling = asyncio.create_task(Scheduler(app).run())
    try:
        async with working(app, duties=False):
            await work.enqueue(1, delay=60)
            start = time.monotonic()
            job = await work.enqueue(2, delay=0.1)
            await job.result(5)
            assert time.monotonic() - start < 2
    finally:
        scheduling.cancel()
        await asyncio.wait([scheduling])


async def test_a_promoter_that_rests_is_woken_by_an_earlier_job(app: App, client: redis.Redis) -> None:
    promoter, channel = (
        Promoter(app.client.store, lambda: ["q"], poll=600, deaf_poll=0.05),
        app.client.store.keys("q").signals,
    )
    ticking = asyncio.create_task(tick(promoter))
    try:
        await app.enqueue("q", "t", 1, delay=300)
        await until(lambda: client.pubsub_numsub(channel)[0][1] and promoter._rested)
        await until(lambda: promoter._at["q"] > time.monotonic() + 100)  # it hears, and so it does not poll
        await app.enqueue("q", "t", 2, delay=0.1)
        await until(lambda: client.xlen(app.client.store.keys("q").ready))
    finally:
        ticking.cancel()
        await asyncio.wait([ticking])


@pytest.mark.parametrize("kernel", [True, False])
async def test_an_alarm_rings_at_its_moment_and_once(
    monkeypatch: pytest.MonkeyPatch, *, kernel: bool
) -> None:
    if not kernel:
        monkeypatch.setattr(alarm, "_libc", None)
    rung: list[float] = []
    clock = alarm.Alarm(lambda: rung.append(time.monotonic()))
    late = []
    for _ in range(20):
        rung.clear()
        clock.set(time.monotonic() + 600)
        clock.set(at := time.monotonic() + 0.0033)
        await until(lambda: rung)
        late.append(rung[0] - at)
        assert len(rung) == 1
    clock.set(time.monotonic() - 1)
    await until(lambda: len(rung) == 2)
    clock.close()
    if kernel and alarm._libc:
        assert min(late) >= 0
        assert min(late) < 0.0005, "the loop's own timer would be later or early"


@ON_ONE_SERVER
async def test_without_the_right_to_signals_an_earlier_job_is_found_at_the_next_look(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(users=["alice on nopass ~* +@all resetchannels"])
    async with App(redis_url=f"unix://alice:x@{server.socket}") as app:
        promoter, ready = (
            Promoter(app.client.store, lambda: ["q"], deaf_poll=0.3),
            app.client.store.keys("q").ready,
        )
        ticking = asyncio.create_task(tick(promoter))
        try:
            await app.enqueue("q", "t", 1, delay=300)
            await until(lambda: promoter._rested)
            await app.enqueue("q", "t", 2, delay=0.1)
            with server.client() as client:
                await until(lambda: client.xlen(ready))
        finally:
            ticking.cancel()
            await asyncio.wait([ticking])
    assert POLL == 5, "the seconds of the page"


async def test_due_jobs_are_promoted_in_the_order_of_their_times(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for number in (3, 1, 2):
        await app.enqueue("q", "t", number, delay=number / 20)
    promoter = Promoter(app.client.store, lambda: ["q"])
    try:
        await until(lambda: _due(client, prefix))
        assert await promoter.once() == 3
    finally:
        await promoter.close()
    assert [fields["payload"] for _, fields in client.xrange(Keys(prefix, "q").ready)] == ["1", "2", "3"]


async def test_two_promoters_at_once_promote_each_job_once(
    app: App, client: redis.Redis, prefix: str
) -> None:
    jobs = await app.enqueue_many("q", "t", range(3_000), delay=0.01)
    await until(lambda: _due(client, prefix))
    promoters = [Promoter(app.client.store, lambda: ["q"]) for _ in range(3)]
    try:
        promoted = await asyncio.gather(*[promoter.once() for promoter in promoters])
    finally:
        for promoter in promoters:
            await promoter.close()
    assert sum(promoted) == 3_000
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"waiting": 3_000}
    assert set(found.places) == {job.id for job in jobs}


async def test_a_promoted_job_is_found_where_it_went(app: App, client: redis.Redis, prefix: str) -> None:
    job = await app.enqueue("q", "t", {"a": "line\nbreak"}, delay=0.01)
    await until(lambda: _due(client, prefix))
    promoter = Promoter(app.client.store, lambda: ["q"])
    try:
        assert await promoter.once() == 1
        assert await promoter.once() == 0
    finally:
        await promoter.close()
    record = await job.status()
    assert (record.state, record.payload) == (State.WAITING, {"a": "line\nbreak"})


@pytest.mark.parametrize("envelope", [True, False])
async def test_a_due_time_without_an_envelope_is_dropped_and_stops_nobody(
    app: App, client: redis.Redis, prefix: str, envelope: bool
) -> None:
    keys = Keys(prefix, "q")
    client.zadd(keys.delayed, {"1-1": 1})
    if envelope:
        await app.enqueue("q", "t", 1, delay=0.001)
        await until(lambda: _due(client, prefix, 2))
    promoter = Promoter(app.client.store, lambda: ["q"])
    try:
        assert await promoter.once() == int(envelope)
    finally:
        await promoter.close()
    assert client.zcard(keys.delayed) == 0


def _due(client: redis.Redis, prefix: str, count: int = 1) -> bool:
    keys = Keys(prefix, "q")
    now = _now(client) * 1000
    return client.zcount(keys.delayed, "-inf", now) == client.zcard(keys.delayed) >= count
