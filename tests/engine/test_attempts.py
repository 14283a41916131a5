"""An attempt always ends in an outcome, whatever its handler raises, and its slot is free again."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from streamq import App, Backoff, ConfigurationError, JobFailed, Retry, Snooze, State
from streamq.model.headers import Headers, pack_headers, with_error
from streamq.model.history import HISTORY, HISTORY_BYTES
from streamq.model.keys import Keys
from streamq.worker import outcomes
from streamq.worker.description import MESSAGE, TRACEBACK, describe

from ..rig import ON_ONE_SERVER, census, until, working
from .odd import ODD, StrangeString, StrangeText, stop_iteration

AT_ONCE = Backoff(base=0.001, most=0.001)


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_whatever_a_handler_raises_its_attempt_fails_and_the_next_job_runs(
    app: App, client: redis.Redis, prefix: str, kind: str
) -> None:
    """One slot: an attempt without an outcome would end this test."""

    async def odd_async(which: str) -> None:
        raise ODD[which]()

    def odd_plain(which: str) -> None:
        raise ODD[which]()

    odd = app.task(name="odd", queue="q", attempts=1)(odd_async if kind == "async" else odd_plain)

    @app.task(queue="q")
    async def next_one(x: int) -> int:
        return x

    async with working(app, concurrency=1) as worker:
        for which in ODD:
            job, after = await odd.enqueue(which), await next_one.enqueue(1)
            assert await after.result(10) == 1, which
            record = await job.status()
            assert record.state is State.FAILED, which
            assert len(record.error.message) <= MESSAGE
            assert len(record.error.traceback) <= TRACEBACK
            assert json.dumps(record.asdict())
        assert not worker.slots.running
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"completed": len(ODD), "failed": len(ODD)}


@given(which=st.sampled_from(sorted(ODD)), text=st.text(max_size=50), depth=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_an_error_of_any_kind_and_of_any_cause_can_be_described(which: str, text: str, depth: int) -> None:
    error = ODD[which]()
    for _ in range(depth):
        outer = ValueError(text)
        BaseException.__dict__["__cause__"].__set__(outer, error)
        error = outer
    described = describe(error)
    entry = {**described._asdict(), "worker": "w", "attempt": 1, "started_at": 1, "finished_at": 2}
    assert len(pack_headers(with_error({}, entry))) <= HISTORY_BYTES
    assert described.type


def test_a_text_of_a_class_of_its_own_is_kept_as_plain_text() -> None:
    described = describe(StrangeText())
    assert described.message == "strange"
    assert type(described.message) is str


async def test_a_plain_handler_that_raises_stop_iteration_fails_its_attempt(app: App) -> None:
    @app.task(attempts=2, backoff=AT_ONCE)
    def first_of_none(x: int) -> Any:
        return stop_iteration()

    async with working(app, concurrency=1):
        job = await first_of_none.enqueue(1)
        with pytest.raises(JobFailed, match="StopIteration"):
            await job.result(5)
        assert "in first_of_none" in (await job.status()).error.traceback  # type: ignore[index]


@pytest.mark.parametrize("kind", ["async", "plain"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_an_interrupt_in_a_handler_is_a_failed_attempt_and_ends_no_process(
    app: App, kind: str, error: type[BaseException]
) -> None:
    seen: list[int] = []

    async def interrupt_async(x: int) -> int:
        return interrupt_plain(x)

    def interrupt_plain(x: int) -> int:
        seen.append(x)
        if len(seen) < 3:
            raise error
        return x

    task = app.task(name="t", attempts=3, backoff=AT_ONCE)(
        interrupt_async if kind == "async" else interrupt_plain
    )
    async with working(app, concurrency=1):
        job = await task.enqueue(7)
        assert await job.result(10) == 7
        assert [e.type for e in (await job.status()).history] == [error.__name__] * 2


async def test_a_verdict_without_its_time_says_in_the_record_what_is_wrong_with_it(app: App) -> None:
    class Later(Snooze):
        def __init__(self) -> None:
            pass

    @app.task(attempts=1)
    async def work(x: int) -> None:
        raise Later

    async with working(app):
        with pytest.raises(JobFailed, match=r"`seconds` is not a number.*super\(\).__init__\(\)"):
            await (await work.enqueue(1)).result(5)


async def test_a_retry_without_its_time_waits_for_the_backoff_of_its_task(app: App) -> None:
    class Busy(Retry):
        def __init__(self) -> None:
            pass

    @app.task(attempts=2, backoff=AT_ONCE)
    async def work(x: int) -> None:
        raise Busy

    async with working(app):
        job = await work.enqueue(1)
        with pytest.raises(JobFailed):
            await job.result(5)
        assert (await job.status()).attempt == 2


@pytest.mark.parametrize("name", ["base", "most"])
@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0, "5", None])
def test_a_backoff_that_is_no_time_is_refused_where_it_is_made(name: str, seconds: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"Backoff\\({name}="):
        Backoff(**{name: seconds})


@ON_ONE_SERVER
@pytest.mark.parametrize("timeout", [float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_job_whose_time_limit_is_no_time_runs_without_one(
    app: App, timeout: float, kind: str
) -> None:
    async def run_async(x: int) -> int:
        return x

    def run_plain(x: int) -> int:
        return x

    task = app.task(name="t", timeout=60)(run_async if kind == "async" else run_plain)
    task.timeout = timeout  # as a version before this one let it through
    async with working(app, concurrency=1):
        assert await (await task.enqueue(7)).result(5) == 7


@ON_ONE_SERVER
@pytest.mark.parametrize("timeout", ["1e999", "NaN", "1e300", "-1", '"x"'])
async def test_a_time_limit_in_the_headers_that_is_no_time_ends_nothing(
    app: App, client: redis.Redis, prefix: str, timeout: str
) -> None:
    @app.task(queue="q")
    async def work(x: int) -> int:
        return x

    async with working(app, concurrency=1):
        entry = client.xadd(
            Keys(prefix, "q").ready, {"task": "work", "payload": "7", "headers": f'{{"timeout":{timeout}}}'}
        )
        record = await until(lambda: _finished(app, entry))
    assert record.result == 7


async def test_two_hundred_plain_handlers_of_a_worker_of_two_hundred_run_at_once(
    make_app: Callable[..., App],
) -> None:
    """The setting says 5: none of the others may spend its time limit waiting for a thread."""
    async with make_app(concurrency=5) as app:
        together = threading.Barrier(200, timeout=20)

        @app.task(attempts=1, timeout=20)
        def meet(x: int) -> int:
            together.wait()
            return x

        async with working(app, concurrency=200):
            jobs = await meet.enqueue_many(range(200))
            assert await asyncio.gather(*[job.result(25) for job in jobs]) == list(range(200))


async def test_an_attempt_that_fails_says_so_in_one_line_of_the_log(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task(attempts=2, backoff=AT_ONCE)
    async def work(x: int) -> None:
        raise ValueError("two\nlines")

    with caplog.at_level(logging.INFO, "streamq"):
        async with working(app):
            job = await work.enqueue(1)
            with pytest.raises(JobFailed):
                await job.result(5)
    told = [r.getMessage() for r in caplog.records if job.id in r.getMessage()]
    assert len(told) == 2
    assert re.fullmatch(
        rf"work {job.id} attempt 1/2 failed after .+: ValueError: two lines; again in .+", told[0]
    )
    assert re.fullmatch(
        rf"work {job.id} attempt 2/2 failed after .+: ValueError: two lines; the job has failed for good",
        told[1],
    )


class Unwritable:
    """A result that raises when it is asked how it is written."""

    @property
    def model_dump(self) -> Any:
        raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_a_result_whose_own_class_refuses_to_be_written_fails_its_job(app: App, kind: str) -> None:
    async def run_async(x: int) -> Any:
        return run_plain(x)

    def run_plain(x: int) -> Any:
        return Unwritable() if x else {StrangeString("a"): StrangeString("b")}

    task = app.task(name="t", attempts=1)(run_async if kind == "async" else run_plain)

    @app.task
    async def good(x: int) -> int:
        return x

    async with working(app, concurrency=1):
        with pytest.raises(JobFailed, match="ResultNotStorable"):
            await (await task.enqueue(1)).result(5)
        await until(lambda: _ended(task, 0))
        assert await (await good.enqueue(5)).result(5) == 5


async def _ended(task: Any, payload: int) -> bool:
    job = await task.enqueue(payload)
    try:
        await job.result(5)
    except JobFailed:
        return True
    return True


@pytest.mark.parametrize("fault", [ValueError("x"), KeyboardInterrupt(), MemoryError()], ids=repr)
@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_when_the_outcome_itself_cannot_be_made_the_job_is_failed_in_plain_words(
    app: App,
    client: redis.Redis,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    fault: BaseException,
) -> None:
    """A mistake of ours, planted: nothing that is known today leads to the last resort."""

    async def run_async(x: int) -> None:
        raise ValueError(x)

    def run_plain(x: int) -> None:
        raise ValueError(x)

    def mistaken(*_: Any, **__: Any) -> None:
        raise fault

    task = app.task(name="t", queue="q", attempts=3)(run_async if kind == "async" else run_plain)
    monkeypatch.setattr(outcomes, "judge", mistaken)
    async with working(app, concurrency=1):
        jobs = await task.enqueue_many(range(3))
        for job in jobs:
            with pytest.raises(JobFailed, match=f"{type(fault).__name__}: {outcomes.UNMAKEABLE}"):
                await job.result(5)
    census(client, prefix, "q").check()


async def test_headers_deeper_than_can_be_written_anew_are_passed_on(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q", attempts=2, backoff=AT_ONCE)
    async def work(x: int) -> None:
        raise ValueError("no")

    deep = '{"x":' + "[" * 600 + "]" * 600 + "}"
    async with working(app, concurrency=1):
        entry = client.xadd(Keys(prefix, "q").ready, {"task": "work", "payload": "7", "headers": deep})
        record = await until(lambda: _finished(app, entry))
    assert record.state is State.FAILED
    assert deep[1:-1] in client.hget(Keys(prefix, "q").finished, entry)
    census(client, prefix, "q").check()


# -- histories ------------------------------------------------------------------------------------------------


@ON_ONE_SERVER
async def test_a_job_of_a_thousand_attempts_sends_headers_within_their_budget(
    app: App, client: redis.Redis, prefix: str
) -> None:
    @app.task(queue="q", attempts=1_000, backoff=Backoff(0, 0))
    async def work(x: int) -> None:
        raise ValueError("äöü\n" * 5_000)

    before = client.info("stats")["total_net_input_bytes"]
    async with working(app, concurrency=5):
        job = await work.enqueue(1)
        with pytest.raises(JobFailed):
            await job.result(60)
    sent = client.info("stats")["total_net_input_bytes"] - before
    record = await job.status()
    stored = client.hget(Keys(prefix, "q").finished, job.id).encode()
    assert record.attempt == 1_000
    assert len(stored) < HISTORY_BYTES + 4_000
    assert sent < 1_000 * 2 * (HISTORY_BYTES + 4_000), "each attempt is parked, and may be sent once more"
    assert len(record.history) <= HISTORY
    assert [error.attempt for error in record.history[-3:]] == [998, 999, 1_000]
    assert record.history[0].attempt == 1
    assert [bool(error.traceback) for error in record.history] == [
        True,
        *[False] * (len(record.history) - 2),
        True,
    ]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "type": st.text(max_size=5_000),
                "message": st.text(max_size=9_000),
                "traceback": st.text(max_size=9_000),
            },
            optional={
                "attempt": st.integers(0, 2**63), "finished_at": st.floats(), "x": st.lists(st.text(), max_size=5),
            },
        ),
        min_size=1, max_size=40,
    )
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_history_of_any_errors_stays_within_its_budget_and_keeps_the_first_and_the_last(
    errors: list[dict[str, Any]],
) -> None:
    headers: Headers = {}
    for error in errors:
        headers = with_error(headers, error)
        assert len(pack_headers(headers)) <= HISTORY_BYTES + 20
        assert len(headers["history"]) <= HISTORY
    assert headers["history"][-1]["message"][:50] == errors[-1]["message"][:50]
    assert headers["history"][0]["message"][:50] == errors[0]["message"][:50]


def test_a_history_of_long_errors_drops_its_oldest_summaries_and_no_more() -> None:
    headers: Headers = {}
    for number in range(50):
        long = {
            "type": "T" * 9_000,
            "message": "\x00" * 9_000,
            "worker": "w" * 9_000,
            "traceback": "t" * 9_000,
        }
        headers = with_error(headers, {**long, "attempt": number})
    size, history = len(pack_headers(headers)), headers["history"]
    assert HISTORY_BYTES - 1_000 < size <= HISTORY_BYTES + 20
    assert [error["attempt"] for error in history] == [0, *range(51 - len(history), 50)]
    assert history[0]["traceback"]
    assert history[-1]["traceback"]


async def _finished(app: App, job_id: str) -> Any:
    record = await app.queue("q").get(job_id)
    return record if record.state in (State.COMPLETED, State.FAILED) else None
