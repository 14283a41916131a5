"""Tasks that a worker does not know: their jobs wait, uncharged, for one that does, as in a rollout."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import redis

from streamq import App, JobFailed, State
from streamq.doctor import examine
from streamq.model.keys import Keys
from streamq.worker import outcomes

from ..rig import ON_ONE_SERVER, census, until, working


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits of seconds take hundredths."""
    monkeypatch.setattr(outcomes, "UNKNOWN_TASK_WAIT", (0.02, 0.1))


def _old(make_app: Callable[..., App], **overrides: Any) -> App:
    app = make_app(**overrides)
    app.task(name="first", queue="q")(lambda x: x)
    return app


@ON_ONE_SERVER
async def test_in_a_rollout_of_nine_old_workers_and_one_new_no_job_of_a_new_task_fails(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, quickly: None
) -> None:
    old, new = _old(make_app), make_app()

    @new.task(queue="q")
    async def second(x: int) -> int:
        return x

    async with old, new, contextlib.AsyncExitStack() as workers:
        for _ in range(9):
            await workers.enter_async_context(working(old, concurrency=5, duties=False))
        await workers.enter_async_context(working(new, concurrency=5))
        jobs = await second.enqueue_many(range(60))
        assert await asyncio.gather(*[job.result(30) for job in jobs]) == list(range(60))
        records = [await job.status() for job in jobs]
    assert {(r.state, r.attempt, r.crashes, len(r.history)) for r in records} == {(State.COMPLETED, 1, 0, 0)}
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"completed": 60}
    written = client.hvals(Keys(prefix, "q").finished)
    assert not [record for record in written if "unknown_task" in record], "it is known now"


@ON_ONE_SERVER
async def test_a_job_of_an_unknown_task_waits_a_second_then_twice_as_long_up_to_thirty(
    make_app: Callable[..., App], client: redis.Redis, prefix: str
) -> None:
    keys, waits = Keys(prefix, "q"), []
    async with _old(make_app) as app, working(app):
        job = await app.enqueue("q", "second", 1)
        for count in range(1, 8):
            if count > 1:
                client.zadd(keys.delayed, {job.id: 1})
                async with app.client.store.pool.links() as link:
                    await app.client.store.delayed.promote(link, ["q"], 10)
            await until(lambda count=count: _headers(client, keys, job.id).get("unknown_task_count") == count)
            seconds, micros = client.time()
            due = client.zscore(keys.delayed, job.id)
            waits.append(due / 1000 - seconds - micros / 1e6)
        record = await job.status()
    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16, 30, 30]
    assert (record.state, record.attempt, record.crashes, record.history) == (State.DELAYED, 0, 0, [])


async def test_when_no_worker_knows_the_task_for_long_enough_the_job_fails_with_the_reason(
    make_app: Callable[..., App], quickly: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with _old(make_app, unknown_task_for=0.3) as app, working(app):
        job = await app.enqueue("q", "second", 1)
        with pytest.raises(JobFailed, match="no task is named 'second'; known are first"):
            await job.result(10)
        record = await job.status()
    assert (record.state, record.error.type, record.attempt) == (State.FAILED, "UnknownTask", 0)  # type: ignore[index]
    assert "no worker knew its task" in caplog.text


async def test_an_unknown_task_is_logged_once_by_its_name_and_does_not_spin(
    make_app: Callable[..., App], client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with _old(make_app) as app, working(app):
        before = client.info("commandstats").get("cmdstat_xack", {"calls": 0})["calls"]
        await app.enqueue_many("q", "second", range(100))
        await app.enqueue_many("q", "third", range(100))
        await until(lambda: _delayed(app, 200))
        assert client.info("commandstats")["cmdstat_xack"]["calls"] - before <= 200
    records = [r for r in caplog.records if "knows no such task" in r.getMessage()]
    assert {record.levelno for record in records} == {logging.WARNING}
    told = [record.getMessage() for record in records]
    assert len(told) == 2
    assert told[0].startswith("second ")
    assert told[1].startswith("third ")
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_doctor_counts_the_jobs_that_wait_for_a_worker_by_their_task(
    make_app: Callable[..., App],
) -> None:
    async with _old(make_app) as app, working(app):
        await app.enqueue_many("q", "second", range(30))
        await app.enqueue_many("q", "third", range(3))
        await app.enqueue_many("q", "first", range(5), delay=20)
        await until(lambda: _delayed(app, 38))
        said = [finding for finding in await examine(app) if finding.check == "tasks"]
    assert [(finding.verdict, finding.said) for finding in said] == [
        ("warn", "q: jobs wait for a worker that knows their task: 30 of 'second', 3 of 'third'"),
    ]
    assert "STREAMQ_UNKNOWN_TASK_FOR" in said[0].remedy


@pytest.mark.parametrize(
    "headers",
    [
        '{"unknown_task_since":9e15,"unknown_task_count":1}',
        '{"unknown_task_count":4e18,"unknown_task_since":0}',
    ],
)
async def test_a_time_and_a_count_that_somebody_else_wrote_hold_no_job_for_ever(
    make_app: Callable[..., App], client: redis.Redis, prefix: str, quickly: None, headers: str
) -> None:
    async with _old(make_app, unknown_task_for=0.2) as app, working(app):
        entry = client.xadd(Keys(prefix, "q").ready, {"task": "second", "payload": "1", "headers": headers})
        record = await until(lambda: _failed(app, entry))
    assert record.error.type == "UnknownTask"


def _headers(client: redis.Redis, keys: Keys, job_id: str) -> dict[str, Any]:
    envelope = client.hget(keys.parked, job_id) or "\n{}\n"
    found: dict[str, Any] = json.loads(envelope.split("\n")[1] or "{}")
    return found


async def _delayed(app: App, count: int) -> bool:
    return (await app.queue("q").counts()).delayed == count


async def _failed(app: App, job_id: str) -> Any:
    record = await app.queue("q").get(job_id)
    return record if record.state is State.FAILED else None
