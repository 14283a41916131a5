"""The policy of retries: which errors are retried, for how long, and what a hook with the error in its hands says."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from streamq import (
    App,
    Backoff,
    ConfigurationError,
    Context,
    Fail,
    InvalidPayload,
    JobFailed,
    JobRecord,
    Retry,
    RetryPolicy,
    Snooze,
)

from ..rig import ON_ONE_SERVER, until, working

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

QUICK = Backoff.listed(0.001, jitter=0)
ERRORS: dict[str, type[Exception]] = {
    "timeout": TimeoutError, "refused": ConnectionRefusedError, "missing": FileNotFoundError, "key": KeyError,
}  # fmt: skip


async def _ended(app: App, task: Any, payload: Any) -> JobRecord:
    """A job that has ended, whatever way."""
    job = await task.enqueue(payload)
    with contextlib.suppress(JobFailed):
        await job.result(10)
    record: JobRecord = await job.status()
    return record


async def test_errors_are_retried_by_their_type_and_the_record_says_which_rule_ended_the_job(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task(
        queue="q", attempts=2, backoff=QUICK, fail_on=FileNotFoundError,
        retry_on={OSError: QUICK, ConnectionError: RetryPolicy(attempts=4)},
    )  # fmt: skip
    async def work(name: str) -> None:
        raise ERRORS[name](name)

    async with working(app):
        found = {name: await _ended(app, work, name) for name in ERRORS}
    ends = {name: (r.attempt, r.error.decision) for name, r in found.items() if r.error}
    assert ends == {
        "timeout": (2, None),
        "refused": (4, None),
        "missing": (1, "fail_on names FileNotFoundError"),
        "key": (1, "retry_on does not name it"),
    }
    assert (found["refused"].attempts, found["timeout"].attempts) == (4, 2), (
        "no attempt is told as past the last"
    )
    assert "attempt 4/4" in caplog.text
    assert found["key"].asdict()["error"]["decision"] == "retry_on does not name it"
    assert "the job has failed for good (retry_on does not name it)" in caplog.text


async def test_an_attempt_past_its_time_limit_counts_as_a_timeout_error(app: App) -> None:
    @app.task(queue="q", timeout=0.05, fail_on=TimeoutError)
    async def work(x: int) -> None:
        await asyncio.sleep(30)

    async with working(app):
        record = await _ended(app, work, 1)
    assert (record.attempt, record.error and record.error.type) == (1, "TimeLimit")


async def test_retries_end_in_time_and_a_person_who_retries_begins_the_time_anew(app: App) -> None:
    @app.task(queue="q", attempts=1_000, backoff=Backoff.listed(0.05, jitter=0), give_up_after=0.4)
    async def work(x: int) -> None:
        raise ValueError(x)

    async with working(app):
        record = await _ended(app, work, 1)
        assert record.error is not None
        assert record.error.decision == "the next attempt would begin after give_up_after=0.4 s"
        assert 2 <= record.attempt <= 9
        first = record.attempt
        await app.queue("q").retry(record.id)
        again = await until(lambda: _failed_after(app, record))
    assert again.attempt >= 2
    assert first >= 2


async def _failed_after(app: App, before: JobRecord) -> JobRecord | None:
    now = await app.queue("q").get(before.id)
    return now if now.state == "failed" and now.finished_at != before.finished_at else None


async def test_a_hook_decides_with_the_error_in_its_hands(app: App, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, int]] = []

    def decide(error: BaseException, ctx: Context) -> Any:
        seen.append((repr(error), ctx.attempt))
        return {
            "fail": Fail("no use"), "again": Retry(after=0), "soon": 0.001, "text": "1ms",
            "snooze": Snooze(0) if seen.count((repr(error), ctx.attempt)) < 3 else Fail("enough"),
        }.get(str(error))  # fmt: skip

    @app.task(queue="q", attempts=3, backoff=QUICK, on_error=decide, fail_on=ValueError)
    async def work(what: str) -> None:
        raise ValueError(what) if what != "verdict" else Fail("its own")

    async with working(app):
        found = {
            what: await _ended(app, work, what)
            for what in ("fail", "again", "soon", "text", "snooze", "else", "verdict")
        }
    ends = {what: (r.attempt, r.error.decision) for what, r in found.items() if r.error}
    assert ends == {
        "fail": (1, "on_error says: no use"),
        "again": (3, None),
        "soon": (3, None),
        "text": (3, None),
        "snooze": (1, "on_error says: enough"),
        "else": (1, "fail_on names ValueError"),
        "verdict": (1, None),
    }
    assert ("ValueError('again')", 3) in seen
    assert not any("its own" in error for error, _ in seen), "a verdict is decided already"


async def test_a_hook_that_puts_off_a_handler_past_its_limit_does_not_start_it_twice_at_a_time(
    app: App,
) -> None:
    go, running, most = threading.Event(), [0], [0]

    def work(x: int) -> int:
        running[0] += 1
        most[0] = max(most[0], running[0])
        go.wait(10)
        running[0] -= 1
        return x

    task = app.task(queue="q", timeout=0.1, on_error=lambda _error, _ctx: Snooze(0))(work)
    async with working(app):
        job = await task.enqueue(5)
        await until(lambda: _delayed(app, job.id))
        await asyncio.sleep(2 * app.settings.beat)
        assert (running, most) == ([1], [1])
        go.set()
        assert await job.result(10) == 5
    assert (await job.status()).attempt == 1


async def _delayed(app: App, job_id: str) -> bool:
    return (await app.queue("q").get(job_id)).state == "delayed"


@pytest.mark.parametrize(
    "hook",
    [
        lambda _error, _ctx: 1 / 0,
        lambda _error, _ctx: "soon",
        lambda _error, _ctx: True,
        lambda _error, _ctx: Retry,
        lambda _error, _ctx: sys.exit(),
    ],
)
async def test_a_hook_that_fails_or_says_what_is_no_advice_is_told_and_the_policy_decides(
    app: App, hook: Any, caplog: pytest.LogCaptureFixture
) -> None:
    @app.task(queue="q", attempts=2, backoff=QUICK, on_error=hook)
    async def work(x: int) -> None:
        raise ValueError(x)

    with caplog.at_level(logging.ERROR, "streamq.job"):
        async with working(app):
            record = await _ended(app, work, 1)
    assert (record.attempt, record.error and record.error.message) == (2, "1")
    assert sum("asks on_error in vain" in each.message for each in caplog.records) == 2


async def _async_hook(error: BaseException, ctx: Context) -> None: ...


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"retry_on": 5}, "name types of exceptions"),
        ({"retry_on": "TimeoutError"}, "name types of exceptions"),
        ({"retry_on": ()}, "one type of exceptions at least"),
        ({"retry_on": {}}, "one type of exceptions at least"),
        ({"retry_on": {OSError: 5}}, r"for OSError write a Backoff\(…\), or RetryPolicy"),
        (
            {"retry_on": {OSError: RetryPolicy(attempts=0)}},
            "attempts of a RetryPolicy are a whole number from 1",
        ),
        ({"retry_on": Retry}, "decides by itself"),
        ({"fail_on": [OSError, int]}, "name types of exceptions"),
        ({"fail_on": InvalidPayload}, "decides by itself"),
        ({"fail_on": OSError, "retry_on": OSError}, "OSError is in retry_on and in fail_on"),
        ({"give_up_after": 0}, "it must be above 0"),
        ({"give_up_after": "soon"}, "it must be above 0"),
        ({"on_error": _async_hook}, "use a plain function"),
        ({"on_error": lambda _error: None}, "use a plain function"),
        ({"on_error": "log"}, "use a plain function"),
    ],
)
def test_a_policy_of_retries_that_cannot_be_kept_is_refused_where_the_task_is_declared(
    make_app: Callable[..., App], policy: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"task 'x': .*{told}"):
        make_app().task(name="x", **policy)(lambda x: x)
