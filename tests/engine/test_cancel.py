"""Cancelling a job: what has not begun ends at once, what runs is told, and nothing of it runs again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import (
    App,
    Context,
    Fail,
    Job,
    JobCancelled,
    JobFailed,
    JobNotFound,
    Retry,
    State,
    Unique,
    WrongState,
)
from streamq.model.keys import Keys
from streamq.worker import time_limits

from ..rig import ON_ONE_SERVER, census, until, working


@pytest.mark.parametrize("options", [{}, {"delay": 60}, {"priority": "high"}], ids=str)
async def test_a_job_that_has_not_begun_is_cancelled_at_once_and_its_record_says_by_whom_and_why(
    app: App, client: redis.Redis, prefix: str, options: dict[str, Any]
) -> None:
    job = await app.enqueue("q", "t", 1, **options)
    waiting = asyncio.create_task(job.result(5))
    await asyncio.sleep(0.05)
    record = await job.cancel("sent twice", by="ada")
    assert (record.state, record.attempt, record.worker) == (State.CANCELLED, 0, None)
    assert record.error is not None
    assert (record.error.type, record.error.message, record.error.by) == ("Cancelled", "sent twice", "ada")
    assert await job.status() == record
    with pytest.raises(JobCancelled, match="sent twice"):
        await waiting
    counts = await app.queue("q").counts()
    assert (counts.cancelled, sum(counts.asdict().values())) == (1, 1)
    assert [each.id for each in (await app.queue("q").jobs(State.CANCELLED)).items] == [job.id]
    census(client, prefix, "q").check()


@ON_ONE_SERVER
async def test_a_job_is_cancelled_once_whoever_asks_again_and_too_late_is_an_error(app: App) -> None:
    job = await app.enqueue("q", "t", 1)
    said = await asyncio.gather(*[job.cancel(f"by {n}") for n in range(20)])
    assert len({record.error for record in said}) == 1
    with pytest.raises(JobNotFound):
        await app.queue("q").cancel("1-1")

    @app.task(queue="q", name="done")
    async def done() -> None: ...

    async with working(app):
        finished = await done.enqueue()
        await finished.result(5)
        with pytest.raises(WrongState) as told:
            await finished.cancel()
    assert (told.value.state, told.value.allowed) == ("completed", ("delete",))


@ON_ONE_SERVER
async def test_a_cancelled_job_lets_the_next_of_its_key_wait_and_one_that_follows_leaves_the_line(
    app: App, client: redis.Redis, prefix: str
) -> None:
    line = Unique(conflict="queue")
    first, second, third = [await app.enqueue("q", "t", n, key="k", unique=line) for n in range(3)]
    assert (await third.status()).state is State.HELD
    assert (await third.cancel()).state is State.CANCELLED
    assert (await first.cancel()).state is State.CANCELLED
    assert (await second.status()).state is State.WAITING
    assert (await app.enqueue("q", "t", 3, key="k")).id == second.id
    await second.cancel()
    assert not client.exists(Keys(prefix, "q").unique)
    census(client, prefix, "q").check()


class _Handlers:
    """Handlers that do all kinds of things when they are told to end."""

    def __init__(self, app: App) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.tasks = {
            name: app.task(getattr(self, name), queue="q", name=name)
            for name in ("obeys", "returns", "retries", "fails", "in_thread")
        }

    async def obeys(self, ctx: Context) -> None:
        self.began.append(ctx.job_id)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            self.ended.append("cleaned up")

    async def returns(self, ctx: Context) -> int:
        self.began.append(ctx.job_id)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return 1
        return 2

    async def retries(self, ctx: Context) -> None:
        self.began.append(ctx.job_id)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise Retry(after=0) from None

    async def fails(self, ctx: Context) -> None:
        self.began.append(ctx.job_id)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise Fail("so there") from None

    def in_thread(self, ctx: Context) -> str:
        self.began.append(ctx.job_id)
        while not ctx.cancelled:
            time.sleep(0.005)
        return "saw it"


async def test_a_running_job_ends_as_cancelled_whatever_its_handler_does_when_it_is_told(
    app: App, client: redis.Redis, prefix: str
) -> None:
    handlers = _Handlers(app)
    async with working(app, concurrency=20):
        jobs: dict[str, Job[Any]] = {name: await task.enqueue() for name, task in handlers.tasks.items()}
        await until(lambda: len(handlers.began) == len(jobs))
        told = [await job.cancel("enough", by="ada") for job in jobs.values()]
        assert {record.state for record in told} <= {State.ACTIVE, State.CANCELLED}
        for name, job in jobs.items():
            with pytest.raises(JobCancelled, match="enough"):
                await job.result(2)
            record = await job.status()
            assert (record.state, record.attempt, record.history) == (State.CANCELLED, 1, []), name
            assert record.error is not None
            assert record.error.by == "ada"
        assert handlers.ended == ["cleaned up"]
        await asyncio.sleep(0.1)
        assert len(handlers.began) == len(jobs), "none runs again"
        assert client.hlen(Keys(prefix, "q").cancels) == 0, "no request is left behind"
    census(client, prefix, "q").check()


@ON_ONE_SERVER
async def test_a_handler_that_ignores_the_request_keeps_its_slot_and_its_job_ends_all_the_same(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limits, "CANCEL_GRACE", 0.2)
    began, release = [], asyncio.Event()

    @app.task(queue="q")
    async def deaf() -> None:
        began.append(1)
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with working(app) as worker:
        job = await deaf.enqueue()
        await until(lambda: began)
        await job.cancel()
        with pytest.raises(JobCancelled):
            await job.result(2)
        assert len(worker.slots.running) == len(worker.runner.overdue) == 1
        release.set()
        await until(lambda: not worker.slots.running)
    assert began == [1]


@ON_ONE_SERVER
@pytest.mark.parametrize("way", ["retries", "released", "lost"])
async def test_a_job_that_was_to_end_is_not_run_again_by_whatever_way_it_leaves_its_worker(
    app: App, client: redis.Redis, prefix: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker never hears of the request."""
    monkeypatch.setattr("streamq.worker.canceller.Canceller._look", _deaf)
    gate, began = asyncio.Event(), []

    @app.task(queue="q", name="t")
    async def work() -> None:
        began.append(1)
        await gate.wait()
        raise Retry(after=0)

    job = await app.enqueue("q", "t")
    if way == "lost":
        await _taken_by_a_lost_worker(app)
        await job.cancel("no")
        links = app.client.store.links()
        done = await app.client.store.recovery.reclaim(links, "q", "lost", None)
        await links.close()
        assert (done.cancelled, done.again) == (1, 0)
    else:
        async with working(app) as worker:
            await until(lambda: began)
            await job.cancel("no")
            if way == "retries":
                gate.set()
                await until(lambda: not worker.slots.running)
            else:
                worker.stop()
                worker.stop()
    with pytest.raises(JobCancelled, match="no"):
        await job.result(2)
    record = await job.status()
    assert len(record.history) == {"retries": 1, "released": 0, "lost": 1}[way]
    assert client.hlen(Keys(prefix, "q").cancels) == 0
    census(client, prefix, "q").check()


async def _deaf(*_: object) -> None: ...


async def _taken_by_a_lost_worker(app: App) -> None:
    store = app.client.store
    links = store.links()
    await store.delivery.join(links, ["q"])
    await store.delivery.fetch(links, "q", "lost", 10)
    await links.close()


@ON_ONE_SERVER
async def test_a_request_whose_signal_is_lost_comes_with_the_next_beat(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.worker.canceller.Canceller._heard", lambda *_: None)
    handlers = _Handlers(app)
    async with working(app):
        job = await handlers.tasks["obeys"].enqueue()
        await until(lambda: handlers.began)
        asked = time.monotonic()
        await job.cancel()
        with pytest.raises(JobCancelled):
            await job.result(5)
        assert time.monotonic() - asked < 2 * app.settings.beat


@ON_ONE_SERVER
async def test_a_request_that_came_too_late_ends_nothing_and_is_forgotten(
    app: App, client: redis.Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome of its handler stands; when it is tried again, the old request is not in its way."""
    monkeypatch.setattr("streamq.worker.canceller.Canceller._heard", lambda *_: None)
    gate, ran = asyncio.Event(), []

    @app.task(queue="q", name="t", attempts=1)
    async def work() -> None:
        ran.append(1)
        await gate.wait()
        if len(ran) == 1:
            raise Fail("no")
        await asyncio.sleep(1.5 * app.settings.beat)  # a beat asks for requests meanwhile

    async with working(app):
        job = await app.enqueue("q", "t")
        await until(lambda: ran)
        await job.cancel()
        gate.set()
        with pytest.raises(JobFailed, match="no"):
            await job.result(5)
        await job.retry()
        await job.result(5)
    assert len(ran) == 2
    keys = Keys(prefix, "q")
    client.hset(keys.cancels, job.id, "{}")
    await app.client.store.retention.prune("q")
    assert not client.exists(keys.cancels)


@ON_ONE_SERVER
async def test_a_cancelled_or_expired_job_is_tried_again_with_all_its_attempts(app: App) -> None:
    @app.task(queue="q")
    async def work(number: int) -> int:
        return number

    cancelled, expired = await work.enqueue(1, delay=60), await work.enqueue(2, delay=0.01, expires=0.001)
    await cancelled.cancel()
    async with working(app):
        with pytest.raises(JobFailed) as told:
            await expired.result(5)
        assert (told.value.state, told.value.error_type) == ("expired", "Expired")
        for job in (cancelled, expired):
            assert (await job.retry()).expires_at is None
        assert [await cancelled.result(5), await expired.result(5)] == [1, 2]


@ON_ONE_SERVER
async def test_a_job_starts_before_it_expires_and_not_after_and_its_worker_goes_on(
    make_app: Callable[..., App],
) -> None:
    ran: list[int] = []
    async with make_app() as app:

        @app.task(queue="q")
        async def work(number: int) -> None:
            ran.append(number)

        late = [await work.enqueue(n, delay=0.05, expires=0.02) for n in range(5)]
        soon = [await work.enqueue(n, expires="5m") for n in range(10, 15)]
        assert (await soon[0].status()).expires_at is not None
        async with working(app, concurrency=1) as worker:
            await asyncio.gather(*[job.result(5) for job in soon])
            for job in late:
                with pytest.raises(JobFailed, match="expired"):
                    await job.result(5)
            await until(lambda: worker.slots.free == 1)
        record = await late[0].status()
        assert (record.state, record.attempt, record.started_at) == (State.EXPIRED, 0, None)
        counts = await app.queue("q").counts()
        assert (counts.completed, counts.expired) == (5, 5)
    assert ran == list(range(10, 15))
