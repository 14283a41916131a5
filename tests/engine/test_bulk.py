"""Operations by filter: many jobs are retried, cancelled, promoted or deleted, and counted exactly."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
import redis

from streamq import App, Masked, OperationConflict, OperationEnded, UsageError
from streamq.duties.operator import Operator
from streamq.store.bulk import bulk_step
from streamq.store.store import Store

from ..rig import ON_ONE_SERVER, census, until, working

pytestmark = ON_ONE_SERVER


@pytest.fixture
async def operate(app: App) -> Any:
    async with app.client.store.pool.links() as links:
        yield Operator(app.client.store, lambda: ["q"], links=links)


async def finished(operation: Any, operate: Any) -> Any:
    while (await operation.status()).state == "running":
        await operate.once()
    return await operation.status()


async def fail(app: App, count: int, task: str = "send") -> list[Any]:
    """So many jobs that have failed."""

    async def handler(n: int) -> None:
        raise ValueError(f"no answer for {n}")

    if task not in app.tasks:
        app.task(name=task, queue="q", attempts=1)(handler)
    async with working(app, concurrency=100):
        jobs = await app.enqueue_many("q", task, range(count))
        await until(lambda: ended(app, jobs))
    return list(jobs)


async def ended(app: App, jobs: list[Any]) -> bool:
    counts = await app.queue("q").counts()
    return counts.waiting + counts.active == 0


async def test_jobs_are_retried_cancelled_promoted_and_deleted_by_filter(
    app: App, operate: Any, client: redis.Redis, prefix: str
) -> None:
    queue = app.queue("q")
    await fail(app, 330)
    retried = await finished(await queue.retry_all("payload<300", by="ada"), operate)
    assert (retried.kind, retried.state, retried.done, retried.total, retried.by) == (
        "retry",
        "done",
        300,
        330,
        "ada",
    )
    assert retried.looked == 330
    assert retried.filter == "payload<300"
    counts = await queue.counts()
    assert (counts.waiting, counts.failed) == (300, 30)

    cancelled = await finished(await queue.cancel_all("payload>=50", "not wanted", by="bob"), operate)
    assert cancelled.done == 250
    (one, *_) = (await queue.search("state:cancelled payload=50")).items
    assert one.error is not None
    assert (one.error.message, one.error.by) == ("not wanted", "bob")

    await app.enqueue_many("q", "later", range(120), delay=60)
    assert (await finished(await queue.promote_all("payload<100"), operate)).done == 100
    deleted = await finished(await queue.delete_all("state:cancelled payload>=100 or state:failed"), operate)
    assert deleted.done == 230
    counts = await queue.counts()
    assert (counts.waiting, counts.delayed, counts.cancelled, counts.failed) == (150, 20, 50, 0)
    census(client, prefix, "q").check()


async def test_a_state_that_does_not_allow_it_is_refused_before_anything_is_done(app: App) -> None:
    queue = app.queue("q")
    for begin, text in (
        (queue.retry_all, "state:completed"), (queue.cancel_all, "state:failed"), (queue.promote_all, "state:waiting"),
        (queue.delete_all, "state:active"), (queue.retry_all, "state:failed state:held"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="name"):
            await begin(text)
    for wrong in ({"rate": "fast"}, {"rate": 0}, {"canary": 0}, {"canary": True}, {"rate": "1/0s"}):
        with pytest.raises(UsageError, match="is not possible"):
            await queue.retry_all("state:failed", **wrong)
    assert not await queue.operations()


async def test_a_second_operation_for_the_same_jobs_is_refused_and_one_that_has_ended_is_not_cancelled(
    app: App, operate: Any
) -> None:
    queue = app.queue("q")
    await app.enqueue_many("q", "t", range(10), delay=60)
    first = await queue.promote_all("task:t")
    for begin, text in ((queue.promote_all, "task:t"), (queue.cancel_all, "state:delayed")):
        with pytest.raises(OperationConflict) as raised:
            await begin(text)
        assert raised.value.other == first.id
    await queue.promote_all("task:other")
    assert (await finished(first, operate)).done == 10
    with pytest.raises(OperationEnded, match="is done"):
        await first.cancel()
    again = await queue.cancel_all("task:nothing")
    assert (await again.cancel()).state == (await again.cancel()).state == "cancelled"


async def test_a_step_that_is_taken_twice_counts_once(app: App) -> None:
    """As when its worker dies before it hears the answer, or two take it at once."""
    queue, store = app.queue("q"), app.client.store
    await app.enqueue_many("q", "t", range(250), delay=60)
    operation = await queue.promote_all("payload<200")
    from streamq.model.operation import course

    async with store.pool.links() as links:
        for _ in range(4):
            raw = await links.of("q").call("HGET", store.keys("q").operations, operation.id)
            its = course(raw)
            if its is not None:
                await asyncio.gather(*[taken(store, operation.id, its) for _ in range(3)])
    record = await operation.status()
    assert (record.state, record.done, record.skipped) == ("done", 200, 0)
    assert (await queue.counts()).waiting == 200


async def taken(store: Store, operation_id: str, its: Any) -> None:
    async with store.pool.links() as links:
        await bulk_step(store, links, "q", operation_id, its, lambda job: job)


async def test_a_redrive_keeps_to_its_rate(app: App, operate: Any) -> None:
    await fail(app, 40)
    operation = await app.queue("q").retry_all("state:failed", rate="100/s")
    begun = asyncio.get_running_loop().time()
    record = await finished(operation, operate)
    took = asyncio.get_running_loop().time() - begun
    assert record.done == 40
    assert took >= 0.35


async def test_a_canary_that_fails_again_stops_the_redrive(app: App, operate: Any) -> None:
    await fail(app, 30)
    operation = await app.queue("q").retry_all("state:failed", canary=3)
    await operate.once()
    assert (await app.queue("q").counts()).waiting == 3
    async with working(app):
        record = await until(lambda: no_longer_running(operation))
    assert (record.state, record.done) == (
        "stopped",
        3,
    )
    assert "of the first 3 jobs failed again" in record.reason
    assert (await app.queue("q").counts()).failed == 30


@pytest.mark.parametrize("count", [2, 30])
async def test_a_canary_that_succeeds_lets_the_others_follow(app: App, count: int) -> None:
    state = {"fails": True}

    @app.task(queue="q", attempts=1)
    async def send(n: int) -> None:
        if state["fails"]:
            raise ValueError("no answer")

    await fail(app, count)
    state["fails"] = False
    operation = await app.queue("q").retry_all("state:failed", canary=3)
    async with working(app):
        record = await until(lambda: no_longer_running(operation))
        assert (record.state, record.done, record.reason) == ("done", count, "")
        await until(lambda: ended(app, []))
    assert (await app.queue("q").counts()).completed == count


async def no_longer_running(operation: Any) -> Any:
    record = await operation.status()
    return record if record.state != "running" else None


async def test_a_job_whose_key_is_in_use_is_skipped_and_counted_so(app: App, operate: Any) -> None:
    queue = app.queue("q")
    for n in range(3):
        job = await app.enqueue("q", "t", n, key=f"k{n}")
        await job.cancel()
    await app.enqueue("q", "t", "other", key="k1")
    record = await finished(await queue.retry_all("state:cancelled"), operate)
    assert (record.done, record.skipped) == (2, 1)


async def test_what_is_masked_cannot_be_asked_for(make_app: Any) -> None:
    async with make_app() as app:

        @app.task(queue="q")
        async def login(user: str, password: Annotated[str, Masked]) -> None: ...

        await login.enqueue(user="ada", password="secret")
        assert not (await app.queue("q").search("payload.password=secret")).items
        assert (await app.queue("q").search("payload.user=ada")).items
