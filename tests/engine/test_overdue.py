"""Handlers that cannot be ended: judged at their limit, their slot kept, named, and not started twice at a time."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from streamq import App, Backoff, JobFailed, State
from streamq.doctor import examine
from streamq.model.keys import Keys
from streamq.worker import time_limits

from ..rig import ON_ONE_SERVER, census, until, working

AT_ONCE = Backoff(base=0.001, most=0.001)


@pytest.fixture(autouse=True)
def a_short_moment_to_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limits, "CANCEL_GRACE", 0.1)


class Threads:
    """Plain handlers that run until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.began: list[float] = []

    def wait(self, said: str) -> str:
        self.began.append(time.monotonic())
        self.go.wait(20)
        return said


@pytest.fixture
def threads() -> Iterator[Threads]:
    made = Threads()
    yield made
    made.go.set()


@ON_ONE_SERVER
async def test_a_plain_handler_past_its_limit_has_failed_its_attempt_and_keeps_its_slot(
    app: App, threads: Threads, caplog: pytest.LogCaptureFixture
) -> None:
    task = app.task(name="wait", attempts=1, timeout=0.1)(threads.wait)

    @app.task
    async def good(x: int) -> int:
        return x

    async with working(app, concurrency=1) as worker:
        job, after = await task.enqueue("late"), await good.enqueue(5)
        with pytest.raises(JobFailed, match=r"TimeLimit.*limit of 0\.1 s \(its handler still runs\)"):
            await job.result(5)
        assert len(worker.slots.running) == 1, "its slot was free while it still ran"
        assert (await after.status()).state is State.WAITING
        threads.go.set()
        assert await after.result(5) == 5
    told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len([line for line in told if "keeps its slot" in line and job.id in line]) == 1
    assert len([line for line in told if "has returned after" in line and job.id in line]) == 1
    assert (await job.status()).state is State.FAILED, "what it returned is dropped"


@ON_ONE_SERVER
async def test_two_slots_taken_by_two_such_handlers_are_named_everywhere(
    app: App, threads: Threads, server_url: str, prefix: str
) -> None:
    task = app.task(name="wait", queue="q", attempts=1, timeout=0.1)(threads.wait)
    async with working(app, name="w1", concurrency=2):
        jobs = await task.enqueue_many(["a", "b"])
        (worker,) = await until(lambda: _with_overdue(app, 2))
        assert {(h.job, h.queue, h.task) for h in worker.overdue} == {(job.id, "q", "wait") for job in jobs}
        (said,) = [finding for finding in await examine(app) if finding.check == "handlers"]
        assert said.verdict == "warn"
        assert "w1: 2 of 2 slots" in said.said
        assert jobs[0].id in said.said
        shown = await _workers(server_url, prefix)
        assert {h["job"] for h in shown[0]["overdue"]} == {job.id for job in jobs}
        assert shown[0]["overdue"][0]["since"].endswith("Z")
        threads.go.set()
        await until(lambda: _with_overdue(app, 0))
        assert not [finding for finding in await examine(app) if finding.check == "handlers"]


@ON_ONE_SERVER
async def test_no_retry_starts_while_the_thread_runs_and_it_starts_when_that_has_returned(
    app: App, threads: Threads, client: redis.Redis, prefix: str
) -> None:
    """For three leases: its due time is pushed out with every beat."""
    task = app.task(name="wait", queue="q", attempts=2, timeout=0.1, backoff=AT_ONCE)(threads.wait)
    async with working(app, concurrency=4), working(app, concurrency=4):
        job = await task.enqueue("late")
        await until(lambda: _in(job, State.DELAYED))
        await asyncio.sleep(3 * app.settings.lease)
        assert len(threads.began) == 1
        assert (await job.status()).state is State.DELAYED
        returned = time.monotonic()
        threads.go.set()
        assert await job.result(5) == "late"
    assert threads.began[1] - returned < 1.5, "long before the time it was pushed out to"
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"completed": 1}


@ON_ONE_SERVER
async def test_a_retry_whose_backoff_is_longer_than_that_keeps_its_time(
    app: App, threads: Threads, client: redis.Redis, prefix: str
) -> None:
    task = app.task(name="wait", queue="q", attempts=2, timeout=0.1, backoff=Backoff(600))(threads.wait)
    async with working(app, concurrency=1) as worker:
        job = await task.enqueue("late")
        record = await until(lambda: _in(job, State.DELAYED))
        threads.go.set()
        await until(lambda: not worker.slots.running)
        await asyncio.sleep(2 * app.settings.beat)
        assert abs(((await job.status()).due_at - record.due_at).total_seconds()) < 1.0
        assert client.zscore(Keys(prefix, "q").delayed, job.id) / 1000 > record.created_at.timestamp() + 500


@ON_ONE_SERVER
async def test_a_worker_that_stops_does_not_wait_for_it_and_gives_its_retry_its_own_time(
    make_app: Callable[..., App], threads: Threads, client: redis.Redis
) -> None:
    async with make_app(shutdown_grace=60, lease=30, beat=1) as app:
        task = app.task(name="wait", queue="q", attempts=2, timeout=0.1, backoff=AT_ONCE)(threads.wait)
        async with asyncio.timeout(10):
            async with working(app, concurrency=1):
                job = await task.enqueue("late")
                await until(lambda: _in(job, State.DELAYED))
        record = await job.status()
    assert record.state is State.DELAYED
    assert record.due_at.timestamp() <= client.time()[0] + 1


@ON_ONE_SERVER
async def test_an_async_handler_that_swallows_its_cancellation_has_failed_its_attempt(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    go = asyncio.Event()

    @app.task(attempts=1, timeout=0.1)
    async def stubborn(x: int) -> str:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue
        return "at last"

    @app.task
    async def good(x: int) -> int:
        return x

    async with working(app, concurrency=1) as worker:
        job, after = await stubborn.enqueue(1), await good.enqueue(5)
        with pytest.raises(JobFailed, match="TimeLimit"):
            await job.result(5)
        assert len(worker.slots.running) == len(worker.runner.overdue) == 1
        await until(lambda: _with_overdue(app, 1))
        go.set()
        assert await after.result(5) == 5
    assert "keeps its slot" in caplog.text
    assert (await job.status()).state is State.FAILED


@ON_ONE_SERVER
async def test_an_async_handler_that_swallows_one_cancellation_is_ended_by_the_next(app: App) -> None:
    @app.task(attempts=1, timeout=0.1)
    async def stubborn(x: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async with working(app, concurrency=1) as worker:
        job = await stubborn.enqueue(1)
        with pytest.raises(JobFailed, match="TimeLimit"):
            await job.result(5)
        await until(lambda: not worker.slots.running)


@ON_ONE_SERVER
@pytest.mark.parametrize("end", ["raises", "group"])
async def test_a_handler_whose_clean_up_raises_at_its_time_limit_has_reached_its_time_limit(
    app: App, end: str
) -> None:
    @app.task(attempts=1, timeout=0.1)
    async def work(x: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            if end == "raises":
                raise ConnectionError("the other side is gone")
            raise BaseExceptionGroup("g", [asyncio.CancelledError()])

    async with working(app):
        with pytest.raises(JobFailed, match=r"TimeLimit.*ConnectionError|TimeLimit.*ExceptionGroup"):
            await (await work.enqueue(1)).result(5)


@ON_ONE_SERVER
async def test_a_coroutine_that_a_plain_handler_returns_is_under_the_same_time_limit(app: App) -> None:
    ended = asyncio.Event()

    async def wait(x: int) -> int:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return x

    def wrap(x: int) -> Any:
        return wait(x)

    task = app.task(attempts=1, timeout=0.2)(wrap)
    async with working(app, concurrency=1) as worker:
        with pytest.raises(JobFailed, match="TimeLimit"):
            await (await task.enqueue(1)).result(5)
        assert ended.is_set()
        await until(lambda: not worker.slots.running)


async def test_a_limit_that_strikes_before_a_blocked_loop_began_the_handler_counts_from_its_beginning(
    app: App,
) -> None:
    """Both are delivered at once; the first blocks the loop beyond the limit of the second."""

    @app.task(attempts=1, timeout=0.2)
    async def work(block: bool) -> str:
        if block:
            time.sleep(0.5)  # noqa: ASYNC251  # as a handler does that should not
        await asyncio.sleep(0.05)
        return "done"

    jobs = await work.enqueue_many([True] + [False] * 5)
    async with working(app, concurrency=10):
        ended = await asyncio.gather(*[job.result(10) for job in jobs], return_exceptions=True)
    assert ended[1:] == ["done"] * 5


async def _workers(url: str, prefix: str) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamq", "workers", "--json", stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "STREAMQ_REDIS_URL": url, "STREAMQ_PREFIX": prefix},
    )  # fmt: skip
    said, _ = await process.communicate()
    found: list[dict[str, Any]] = json.loads(said)["workers"]
    return found


async def _with_overdue(app: App, count: int) -> Any:
    workers = await app.workers()
    return workers if workers and len(workers[0].overdue) == count else None


async def _in(job: Any, *states: State) -> Any:
    record = await job.status()
    return record if record.state in states else None
