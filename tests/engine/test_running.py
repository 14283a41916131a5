"""Running jobs: results, retries, verdicts, time limits, and handlers that misbehave."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from streamq import (
    App,
    Backoff,
    Context,
    Fail,
    JobFailed,
    JobNotFound,
    ResultTimeout,
    Retry,
    Snooze,
    State,
)
from streamq.times import rfc3339

from ..rig import census, until, working

AT_ONCE = Backoff(base=0.001, most=0.001)


class Receipt(BaseModel):
    number: int
    at: datetime


@dataclass
class Sum:
    total: int


async def test_a_result_comes_back_as_the_type_the_handler_returns(app: App) -> None:
    @app.task
    async def pay(amount: int) -> Receipt:
        return Receipt(number=amount, at=datetime(2030, 1, 1, tzinfo=UTC))

    @app.task
    async def add(a: int, b: int = 1) -> Sum:
        return Sum(a + b)

    @app.task
    async def nothing() -> None: ...

    async with working(app):
        assert await (await pay.enqueue(7)).result(5) == Receipt(
            number=7, at=datetime(2030, 1, 1, tzinfo=UTC)
        )
        assert await (await add.enqueue(a=4)).result(5) == Sum(5)
        assert await (await nothing.enqueue()).result(5) is None
        assert await (await app.enqueue("default", "add", {"a": 1, "b": 1})).result(5) == Sum(2)


async def test_a_completed_job_tells_who_ran_it_and_when(app: App) -> None:
    @app.task
    async def add(a: int) -> int:
        await asyncio.sleep(0.05)
        return a + 1

    async with working(app, name="w1"):
        job = await add.enqueue(1)
        await job.result(5)
        record = await job.status()
    assert (record.state, record.worker, record.attempt, record.attempts, record.result) == (
        State.COMPLETED, "w1", 1, 5, 2,
    )  # fmt: skip
    assert record.created_at
    assert record.started_at
    assert record.finished_at
    assert record.created_at <= record.started_at + timedelta(milliseconds=2)
    assert timedelta(milliseconds=45) <= record.finished_at - record.started_at < timedelta(seconds=2)


async def test_thousands_who_wait_for_results_get_each_their_own(app: App) -> None:
    @app.task
    async def echo(number: int) -> int:
        await asyncio.sleep(number % 7 / 1000)
        return number

    async with working(app, concurrency=100):
        jobs = await echo.enqueue_many(range(900))
        assert await asyncio.gather(*[job.result(20) for job in jobs]) == list(range(900))


async def test_a_result_that_does_not_come_in_time_is_an_error_and_the_job_goes_on(app: App) -> None:
    job = await app.enqueue("default", "add", 1)
    with pytest.raises(ResultTimeout, match="goes on"):
        await job.result(0.1)
    with pytest.raises(TimeoutError):
        await job.result(0.01)
    assert (await job.status()).state is State.WAITING


async def test_a_failing_job_spends_its_attempts_and_keeps_its_whole_history(app: App) -> None:
    @app.task(attempts=3, backoff=AT_ONCE)
    async def fail(x: int, ctx: Context) -> None:
        raise ValueError(f"attempt {ctx.attempt} of {ctx.attempts}: {x}")

    async with working(app, name="w1"):
        job = await fail.enqueue(7)
        with pytest.raises(JobFailed) as caught:
            await job.result(5)
    assert (caught.value.state, caught.value.error_type) == ("failed", "ValueError")
    assert caught.value.error == "attempt 3 of 3: 7"
    record = await job.status()
    assert (record.state, record.attempt, record.attempts, record.crashes) == (State.FAILED, 3, 3, 0)
    assert [error.message for error in record.history] == [f"attempt {n} of 3: 7" for n in (1, 2, 3)]
    assert record.error is not None
    assert replace(record.error, fingerprint=None, frame=None) == record.history[-1]
    for error in record.history:
        assert (error.type, error.worker) == ("ValueError", "w1")
        assert "runner.py" not in error.traceback, "our own frames help nobody"
    for error in (record.history[0], record.history[-1]):
        assert error.traceback.rstrip().endswith(error.message)
        assert "in fail" in error.traceback
    assert record.history[1].traceback == "", "those between are summaries"
    times = [getattr(error, name) for error in record.history for name in ("started_at", "finished_at")]
    assert times == sorted(times)
    last = record.asdict()["error"]
    told = ["type", "message", "traceback", "worker", "attempt", "started_at", "finished_at"]
    assert list(last) == [*told, "fingerprint", "frame"]
    assert (last["attempt"], last["finished_at"]) == (3, rfc3339(times[-1]))


async def test_a_retry_waits_for_its_backoff_as_a_delayed_job(app: App) -> None:
    @app.task(backoff=Backoff(30.0))
    async def fail(x: int) -> None:
        raise ValueError(x)

    async with working(app):
        job = await fail.enqueue(1)
        record = await until(lambda: _in(job, State.DELAYED))
    assert record.due_at
    assert record.error
    assert record.attempt == 1
    failed = record.error.finished_at
    assert failed
    assert timedelta(seconds=29.9) <= record.due_at - failed <= timedelta(seconds=61)


async def test_attempts_and_timeout_of_one_job_override_those_of_its_task(app: App) -> None:
    @app.task(attempts=5, timeout=60, backoff=AT_ONCE)
    async def sleep(x: int) -> None:
        await asyncio.sleep(30)

    async with working(app):
        job = await sleep.enqueue(1, attempts=2, timeout=0.05)
        with pytest.raises(JobFailed, match=r"time limit of 0\.05 s"):
            await job.result(5)
    record = await job.status()
    assert (record.attempt, record.attempts) == (2, 2)
    assert [error.type for error in record.history] == ["TimeLimit", "TimeLimit"]


async def test_retry_runs_again_after_the_time_asked_for_and_fail_ends_it_at_once(app: App) -> None:
    seen: list[float] = []

    @app.task(attempts=3, backoff=Backoff(60.0))
    async def work(x: int, ctx: Context) -> str:
        seen.append(time.monotonic())
        if ctx.attempt == 1:
            raise Retry("busy", after=0.2)
        raise Fail("never mind")

    async with working(app):
        job = await work.enqueue(1)
        with pytest.raises(JobFailed, match="never mind"):
            await job.result(5)
    assert len(seen) == 2
    assert seen[1] - seen[0] >= 0.2
    history = (await job.status()).history
    assert [(error.type, error.message, error.traceback) for error in history] == [
        ("Retry", "busy", ""), ("Fail", "never mind", ""),
    ]  # fmt: skip


async def test_a_snooze_costs_no_attempt_and_leaves_no_trace_in_the_history(app: App) -> None:
    left = [3]

    @app.task(attempts=1)
    async def work(x: int, ctx: Context) -> int:
        if left[0]:
            left[0] -= 1
            raise Snooze(0.01)
        return ctx.attempt

    async with working(app):
        job = await work.enqueue(1)
        assert await job.result(5) == 1
    assert (await job.status()).history == []


async def test_the_idempotency_key_is_the_same_on_every_attempt(app: App) -> None:
    seen: list[tuple[str, str]] = []

    @app.task(queue="q", backoff=AT_ONCE)
    async def work(x: int, ctx: Context) -> None:
        seen.append((ctx.idempotency_key, ctx.job_id))
        if ctx.attempt < 3:
            raise ValueError(x)

    async with working(app):
        for options in ({}, {"delay": 0.01}):
            seen.clear()
            job = await work.enqueue(1, **options)
            await job.result(5)
            assert seen == [(f"q:{job.id}", job.id)] * 3


async def test_a_plain_handler_runs_in_a_thread_with_the_same_rights(app: App) -> None:
    @app.task(attempts=2, backoff=AT_ONCE)
    def work(x: int, ctx: Context) -> str:
        if ctx.attempt == 1:
            raise ValueError(x)
        return threading.current_thread().name

    async with working(app):
        assert (await (await work.enqueue(1)).result(5)).startswith("streamq handler")


async def test_a_handler_that_finishes_as_its_limit_strikes_keeps_its_result(app: App) -> None:
    @app.task(attempts=1, timeout=0.05)
    async def work(x: int) -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "saved"
        return "slept"

    async with working(app):
        assert await (await work.enqueue(1)).result(5) == "saved"


async def test_what_handlers_share_is_made_before_the_first_job_and_undone_after_the_last(
    make_app: Callable[..., App],
) -> None:
    import contextlib

    story: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: App) -> Any:
        app.state["pool"] = "open"
        story.append("begin")
        yield
        story.append("end")

    app = make_app()
    app.lifespan = lifespan

    @app.task
    async def work(x: int, ctx: Context) -> None:
        await asyncio.sleep(0.05)
        story.append(ctx.app.state["pool"])

    async with app:
        job = await work.enqueue(1)
        async with working(app):
            await until(lambda: _in(job, State.ACTIVE, State.COMPLETED))
    assert story == ["begin", "open", "end"]


async def test_a_handler_may_enqueue_and_wait_for_other_jobs(app: App) -> None:
    @app.task
    async def leaf(x: int) -> int:
        return x * 2

    @app.task
    async def tree(x: int) -> int:
        return sum(await asyncio.gather(*[job.result(5) for job in await leaf.enqueue_many(range(x))]))

    async with working(app, concurrency=4):
        assert await (await tree.enqueue(5)).result(5) == 20


async def test_a_failed_job_can_be_retried_with_all_its_attempts_and_its_history(app: App) -> None:
    broken = [True]

    @app.task(attempts=2, backoff=AT_ONCE)
    async def work(x: int, ctx: Context) -> int:
        if broken[0]:
            raise ValueError("broken")
        return ctx.attempt

    async with working(app):
        job = await work.enqueue(1)
        with pytest.raises(JobFailed):
            await job.result(5)
        broken[0] = False
        record = await app.queue("default").retry(job.id)
        assert (record.id, record.state, record.attempt) == (job.id, State.WAITING, 0) or record.state in (
            State.ACTIVE, State.COMPLETED,
        )  # fmt: skip
        assert await job.result(5) == 1
    assert len((await job.status()).history) == 2


async def test_a_job_that_never_was_is_not_found(app: App) -> None:
    for job_id in (
        "1-0",
        "1795449758578-0",
        "x",
        "",
        "1",
        "1-2-3",
        "²-1",
        "1-²",
        "-",
        "9" * 30 + "-1",
        "1-0\n",
    ):
        with pytest.raises(JobNotFound):
            await app.queue("q").get(job_id)


async def test_a_completed_job_cannot_be_retried(app: App, client: redis.Redis, prefix: str) -> None:
    from streamq import WrongState

    @app.task
    async def work(x: int) -> None: ...

    async with working(app):
        job = await work.enqueue(1)
        await job.result(5)
    with pytest.raises(WrongState, match="completed"):
        await app.queue("default").retry(job.id)
    assert census(client, prefix, "default").counts() == {"completed": 1}


async def _in(job: Any, *states: State) -> Any:
    record = await job.status()
    return record if record.state in states else None
