"""Operations by filter on a queue with partitions: their numbers are those of the whole queue."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from streamq import App, OperationConflict, State
from streamq.bulk import bulk_of
from streamq.duties import operator
from streamq.duties.operator import Operator
from streamq.model.places import place_of
from streamq.store import operations

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working

pytestmark = ON_ONE_SERVER

QUEUE = "sms"
FAILS: set[int] = set()


def sending(app: App) -> App:
    """With a task that fails for the numbers of which ``FAILS`` says so."""

    @app.task(queue=QUEUE, attempts=1)
    async def send(number: int) -> None:
        if number in FAILS:
            raise ValueError("no answer")

    return app


@pytest.fixture
async def failed(make_app: Callable[..., App]) -> AsyncIterator[App]:
    """An app whose queue has 24 failed jobs in six partitions: of groups ``a`` to ``h``, three each."""
    app = sending(make_app())
    FAILS.clear()
    FAILS.update(range(24))
    app.queue(QUEUE, partitions=6)
    async with app:
        for place, group in enumerate("abcdefgh"):
            await app.enqueue_many(QUEUE, "send", range(3 * place, 3 * place + 3), group=group)
        async with working(app):
            await until(lambda: have_failed(app, 24))
        yield app


async def have_failed(app: App, count: int) -> bool:
    return (await app.queue(QUEUE).counts()).failed == count


async def operators(app: App) -> AsyncIterator[Operator]:
    """The duty, in all partitions."""
    async with app.client.store.pool.links() as links:
        names = await app.client.store.partition.of_each([QUEUE])
        yield Operator(app.client.store, lambda: names, links=links)


async def test_a_canary_is_so_many_jobs_of_the_whole_queue(failed: App) -> None:
    operation = await failed.queue(QUEUE).retry_all("state:failed", canary=5)
    assert (await operation.status()).canary == 5
    async with working(failed):
        record = await operation.wait(20)
        await until(lambda: have_failed(failed, 24))
    assert record.state == "stopped"
    assert 1 <= record.done <= 5
    assert record.reason.endswith(f"of the first {record.done} jobs failed again")


async def test_a_canary_goes_on_in_the_next_partition_where_one_has_fewer_jobs(failed: App) -> None:
    queue, step = failed.queue(QUEUE), failed.client.store.operations.help
    FAILS.clear()
    operation = await queue.retry_all("state:failed", canary=20)
    for _ in range(12):  # where nobody runs them, the first ones wait for their ends
        await step(QUEUE, operation.id)
    tried = (await operation.status()).done
    assert 0 < tried < 20
    assert (await queue.counts()).held == tried
    async with working(failed):
        record = await operation.wait(20)
    assert (record.state, record.done, record.total, record.reason) == ("done", 24, 24, "")


async def test_what_is_left_of_a_canary_is_tried_in_the_next_partition(failed: App) -> None:
    jobs = (await failed.queue(QUEUE).jobs(State.FAILED, limit=200)).items
    first = max(place_of(QUEUE, job.id)[0] for job in jobs)
    well = [job.payload for job in jobs if place_of(QUEUE, job.id)[0] == first]
    FAILS.difference_update(well)
    operation = await failed.queue(QUEUE).retry_all("state:failed", canary=len(well) + 1)
    async with working(failed):
        record = await operation.wait(20)
    assert (record.state, record.done) == ("stopped", len(well) + 1)
    assert record.reason == f"1 of the first {len(well) + 1} jobs failed again"


async def test_the_first_that_fails_again_ends_a_redrive_in_all_partitions(failed: App) -> None:
    FAILS.difference_update(range(3))  # those of one group succeed, wherever it is
    operation = await failed.queue(QUEUE).retry_all("state:failed", canary=24)
    async with working(failed):
        record = await operation.wait(20)
    assert (record.state, record.reason[1:]) == ("stopped", f" of the first {record.done} jobs failed again")
    assert record.done < 24
    counts = await failed.queue(QUEUE).counts()
    assert counts.waiting + counts.active + counts.failed + counts.completed == 24
    parts = [
        await failed.client.store.operations.whole([name], operation.id) for name in await names_of(failed)
    ]
    assert {part.state for part in parts if part} <= {"done", "stopped", "cancelled"}


async def names_of(app: App) -> tuple[str, ...]:
    return await app.client.partition_names(QUEUE)


@pytest.mark.parametrize("group", [None, "all-in-one"])
async def test_a_rate_is_that_of_the_whole_queue_however_its_jobs_lie(
    make_app: Callable[..., App], group: str | None
) -> None:
    async with sending(make_app()) as app:
        queue = app.queue(QUEUE, partitions=6)
        await app.enqueue_many(QUEUE, "send", range(60), group=group, delay=600)
        operation, began = await queue.cancel_all("task:send", rate="40/s"), time.monotonic()
        async with working(app):
            async for record in operation.follow():
                assert record.done <= 1 + 40 * (time.monotonic() - began) + 1
        took = time.monotonic() - began
    assert (record.state, record.done, record.total, record.rate) == ("done", 60, 60, 40.0)
    assert 1.4 <= took < 4, "shared out by partitions it would be nine seconds"


async def test_a_partition_without_a_job_for_it_costs_no_time_of_a_slow_rate(
    make_app: Callable[..., App],
) -> None:
    async with sending(make_app()) as app:
        queue = app.queue(QUEUE, partitions=16)
        await app.enqueue(QUEUE, "send", 1, delay=600)
        operation = await queue.cancel_all("task:send", rate="1/m")
        async with working(app):
            assert (await operation.wait(5)).done == 1


async def test_an_operation_goes_on_while_the_number_of_partitions_changes(
    make_app: Callable[..., App],
) -> None:
    async with sending(make_app()) as app:
        queue = app.queue(QUEUE, partitions=6)
        await app.enqueue_many(QUEUE, "send", range(120), delay=600)
        operation = await queue.cancel_all("task:send", rate="60/s")
        async with working(app):
            await queue.partition(9)
            await queue.partition(2)
            record = await operation.wait(20)
        assert (record.state, record.done, record.total) == ("done", 120, 120)
        assert (await queue.counts()).cancelled == 120


async def test_whoever_takes_the_place_of_another_goes_on_where_that_one_was(failed: App) -> None:
    await failed.enqueue_many(QUEUE, "send", range(60), delay=600)
    operation, steps = await failed.queue(QUEUE).cancel_all("state:delayed", rate="200/s"), 0
    while (await operation.status()).state == "running":
        failed.client.store.operations._turns.clear()  # another process knows nothing of it
        await failed.client.store.operations.help(QUEUE, operation.id)
        steps += 1
        await asyncio.sleep(0.01)
    assert (await operation.status()).done == 60
    assert steps > 6


async def test_what_is_refused_has_changed_nothing_and_leaves_nothing(failed: App) -> None:
    queue = failed.queue(QUEUE)
    first = await queue.retry_all("state:failed", rate="1/m")
    with pytest.raises(OperationConflict):
        await queue.retry_all("state:failed", rate="1000/s")
    assert (await queue.counts()).failed >= 23
    assert [each.id for each in await queue.operations() if each.state == "running"] == [first.id]
    await first.cancel()
    assert {each.state for each in await queue.operations()} == {"cancelled"}


@pytest.mark.parametrize("rate", [None, "1000/s"])
async def test_no_partition_begins_before_the_first_one_knows(failed: App, rate: str | None) -> None:
    """So an operation that is refused by any of them has changed nothing."""
    queue, store, names = failed.queue(QUEUE), failed.client.store, await names_of(failed)
    bulk = bulk_of("delete", "state:failed", rate=rate)
    for name in names[:0:-1]:
        await store.operations.begin_bulk(name, "sms.begins", bulk, 4, "", 6)
    async with working(failed):
        await asyncio.sleep(0.5)
        assert (await queue.counts()).failed == 24
        await store.operations.begin_bulk(QUEUE, "sms.begins", bulk, 4, "", 6)
        assert (await queue.operation("sms.begins").wait(10)).done == 24


@pytest.mark.parametrize("rate", [None, 1000])
async def test_the_parts_of_an_operation_are_forgotten_with_it(
    failed: App, monkeypatch: pytest.MonkeyPatch, rate: int | None
) -> None:
    monkeypatch.setattr(operations, "BEGINS", timedelta(0))
    queue, store = failed.queue(QUEUE), failed.client.store
    operation = await queue.delete_all("state:failed", rate=rate)
    async with working(failed):
        await operation.wait(20)
    *_, last = await names_of(failed)
    await store.operations.begin_bulk(
        last, "sms.never-told", bulk_of("delete", "state:failed", rate=rate), 5, "", 6
    )
    async for duty in operators(failed):
        await duty.once()
        assert [each.id for each in await queue.operations()] == [operation.id]
        monkeypatch.setattr(operator, "KEPT", timedelta(0))
        await duty.once()
        duty.wake()
        await duty.once()
    assert await queue.operations() == []


@pytest.mark.parametrize("rate", [None, "1000/s"])
async def test_the_end_of_an_operation_is_logged_once_by_the_name_of_its_queue(
    failed: App, caplog: pytest.LogCaptureFixture, rate: str | None
) -> None:
    caplog.set_level(logging.INFO, "streamq.operator")
    async with working(failed):
        operation = await failed.queue(QUEUE).delete_all("state:failed", rate=rate)
        await operation.wait(20)
        await until(lambda: bool(caplog.records))
    said = [line.getMessage() for line in caplog.records if line.name == "streamq.operator"]
    assert said == [f"delete {operation.id} of sms is done"]


@pytest.mark.keeps_keys
async def test_commands_tell_the_numbers_and_the_name_of_the_queue(
    failed: App, tmp_path: Path, server_url: str, prefix: str
) -> None:
    (kind,) = await failed.queue(QUEUE).failures()
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    async with working(failed):
        retry, cancel, limit = await asyncio.to_thread(run_all, tmp_path, [
            Call(("errors", "retry", QUEUE, kind.fingerprint, "--canary", "3")),
            Call(("job", "promote", QUEUE, "--q", "task:send", "--all", "--rate", "50/s", "--json")),
            Call(("queue", "limit", QUEUE, "--shared", "provider", "--concurrency", "2")),
        ], **environment)  # fmt: skip
    assert [each.code for each in (retry, cancel, limit)] == [1, 0, 0], (retry, cancel, limit)
    assert re.search(
        r"is stopped: ([1-3]) of 24 jobs retried; [1-3] of the first \1 jobs failed again", retry.out
    )
    assert json.loads(cancel.out)["rate"] == 50.0
    assert (limit.err, "#" in limit.out) == ("", False)
