"""Operations by filter change jobs as they were read, and what other programs wrote under the keys stops nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import count, product
from typing import Any

import pytest
import redis

from streamq import App, InvalidFilter, JobFailed, Operation, Retry, Snooze, State, UsageError
from streamq.duties.operator import Operator
from streamq.model.keys import GROUP, Keys
from streamq.redis import scripts

from ..rig import ON_ONE_SERVER, until, working
from .test_bulk import ended, fail, finished

pytestmark = ON_ONE_SERVER

NUMBERS = (
    "1e999",
    "-1e999",
    "-1",
    "1.5",
    "1e300",
    '"1e999"',
    '"nan"',
    "null",
    "true",
    '"x"',
    "[]",
    "{}",
    "[1e999]",
)
"""What others may have written where a script keeps a number."""


@pytest.fixture
async def operate(app: App) -> Any:
    async with app.client.store.pool.links() as links:
        yield Operator(app.client.store, lambda: ["q"], links=links)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[object]]) -> None:
    """Do something once between the look of a step at its jobs, and the call that changes them."""
    bulk, acts = scripts.BULK, [act]

    class Between:
        async def run(self, *arguments: Any) -> Any:
            if acts and len(arguments) > len(("link", "keys", "id", "at", "next", "looked", "told", "keep")):
                await acts.pop()()
            return await bulk.run(*arguments)

    monkeypatch.setattr(scripts, "BULK", Between())


async def test_a_job_that_was_retried_and_fails_otherwise_is_not_retried_again(
    app: App, operate: Any
) -> None:
    runs, kinds = count(), ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]

    async def handler() -> None:
        raise ValueError(kinds[next(runs) % len(kinds)])

    app.task(name="send", queue="q", attempts=1)(handler)
    async with working(app, concurrency=50):
        jobs = await app.enqueue_many("q", "send", [None] * 60)
        await until(lambda: ended(app, list(jobs)))
        record = await finished(await app.queue("q").retry_all("task:send"), operate)
        await until(lambda: ended(app, list(jobs)))
    assert (record.done, record.skipped, next(runs)) == (60, 0, 120), "each runs once more"


@pytest.mark.parametrize("kind", ["retry", "delete"])
async def test_a_failed_job_that_somebody_cancels_meanwhile_is_left_alone(
    app: App,
    operate: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    jobs, queue = await fail(app, 3), app.queue("q")

    async def cancel() -> None:
        for job in jobs:
            await queue.retry(job.id)
            await queue.cancel(job.id)

    meanwhile(monkeypatch, cancel)
    begin = queue.retry_all if kind == "retry" else queue.delete_all
    record = await finished(await begin("state:failed or state:cancelled"), operate)
    assert (record.done, record.skipped, (await queue.counts()).cancelled) == (0, 3, 3)


async def test_a_job_that_has_begun_meanwhile_is_not_cancelled_unless_active_ones_are_meant(
    app: App,
    operate: Any,
    client: redis.Redis,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys, queue = Keys(prefix, "q"), app.queue("q")
    await app.enqueue_many("q", "t", range(3))

    async def begin() -> None:
        client.xgroup_create(keys.ready, GROUP, "0")
        client.xreadgroup(GROUP, "w", {keys.ready: ">"})

    meanwhile(monkeypatch, begin)
    record = await finished(await queue.cancel_all("task:t"), operate)
    assert (record.done, record.skipped, client.hlen(keys.cancels)) == (0, 3, 0)
    assert (await finished(await queue.cancel_all("state:active"), operate)).done == 3


@pytest.mark.parametrize("delay", [None, 60])
async def test_a_job_that_was_edited_meanwhile_is_left_alone(
    app: App, operate: Any, monkeypatch: pytest.MonkeyPatch, delay: int | None
) -> None:
    queue = app.queue("q")
    jobs = await app.enqueue_many("q", "t", range(3), delay=delay)
    meanwhile(monkeypatch, lambda: queue.edit(jobs[1].id, 99))
    record = await finished(await queue.cancel_all("payload<3"), operate)
    assert (record.done, record.skipped) == (2, 1)
    assert (await queue.get(jobs[1].id)).payload == 99
    jobs = await app.enqueue_many("q", "t", range(3), delay=60)
    meanwhile(monkeypatch, lambda: queue.edit(jobs[1].id, 99))
    assert (await finished(await queue.promote_all("payload<3"), operate)).done == 2


async def test_a_page_goes_on_in_the_list_in_which_it_began(
    app: App,
    operate: Any,
    client: redis.Redis,
    prefix: str,
) -> None:
    """Workers of the version before fail jobs into no kind: there are more failed jobs than are of a kind then."""
    keys, queue = Keys(prefix, "q"), app.queue("q")
    await fail(app, 4)
    client.zadd(keys.fingerprinted, {client.hvals(keys.fingerprints)[0].encode() + b"\n\xff:\xfe": 0})
    begun = await queue.search("task:send", limit=2)
    client.hset(keys.finished, "2-2", b'f5 0 w\nsend\n\n{"type":"E","message":"m"}\n1')
    client.zadd(keys.failures, {"2-2": 1, "3-3": 2})
    rest = await queue.search("task:send", limit=200, cursor=begun.next)
    assert len({job.id for job in (*begun.items, *rest.items)}) == 4
    anew = await queue.search("task:send", limit=1)
    client.zrem(keys.failures, "2-2", "3-3")
    rest = await queue.search("task:send", limit=200, cursor=anew.next)
    assert len({job.id for job in (*anew.items, *rest.items)}) == 4


async def test_what_failed_under_the_version_before_comes_into_groups(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys, queue = Keys(prefix, "q"), app.queue("q")
    await fail(app, 150)
    kept = client.hgetall(keys.fingerprints)
    client.delete(keys.fingerprints, keys.fingerprinted, keys.failure_kinds)
    client.hset(keys.fingerprints, "5-5", "abc")  # one that it has retried
    client.zadd(keys.fingerprinted, {"abc\n5-5": 0})
    await app.client.store.retention.prune("q")
    (group,) = await queue.failures()
    assert (group.failed, group.message) == (150, "no answer for 0")
    assert (client.hgetall(keys.fingerprints), client.zcard(keys.fingerprinted)) == (kept, 150)


async def test_long_names_and_messages_of_any_alphabet_are_found_and_shown(app: App) -> None:
    name = "задача" * 30

    async def handler(text: str) -> None:
        raise ValueError(text)

    app.task(name=name, queue="q", attempts=1)(handler)
    async with working(app):
        jobs = await app.enqueue_many("q", name, ["x" + "ü" * 400, "ф" * 400, "ab" + "日" * 300])
        await until(lambda: ended(app, list(jobs)))
    groups = await app.queue("q").failures()
    assert all(
        len(group.task) == 180 and group.message[-1] in "üф日" and group.count == 1 for group in groups
    )
    assert len((await app.queue("q").search(f"state:failed task:{name}")).items) == 3


async def test_jobs_of_another_state_are_not_counted_as_looked_at(app: App) -> None:
    await app.enqueue_many("q", "t", range(5), delay=60)
    await app.enqueue_many("q", "t", range(3))
    assert (await app.queue("q").search("payload>=0")).looked == 8


async def test_a_filter_beside_a_state_is_read_alone(app: App) -> None:
    await app.enqueue_many("q", "t", range(3))
    queue = app.queue("q")
    found = await queue.search("payload>=1", state=State.WAITING, task="t")
    assert len(found.items) == 2
    assert len((await queue.search(task="t")).items) == 3
    with pytest.raises(InvalidFilter, match="closes none") as wrong:
        await queue.search("payload:1) or (payload:2", state=State.WAITING)
    assert wrong.value.place == 9


async def test_a_promotion_at_a_rate_meets_each_job_once_and_none_that_came_later(
    app: App, operate: Any
) -> None:
    runs: list[int] = []

    async def handler(n: int) -> None:
        runs.append(n)
        raise Snooze("1h") if n else Retry(after="1h")

    app.task(name="t", queue="q", attempts=5)(handler)
    queue = app.queue("q")
    await app.enqueue_many("q", "t", [0, 1], delay=60)
    last = await app.enqueue("q", "t", 2, delay="2h")
    async with working(app):
        operation = await queue.promote_all("task:t", rate=8)
        await asyncio.sleep(0.01)
        late = await app.enqueue("q", "t", 3, delay="3h")
        record = await finished(operation, operate)
        await until(lambda: ended(app, []))
        assert (record.done, sorted(runs)) == (3, [0, 1, 2])
        assert (await last.status()).state is (await late.status()).state is State.DELAYED
        assert (await finished(await queue.promote_all("task:t"), operate)).done == 4, "of another operation"


async def test_odd_arguments_of_acts_are_typed_errors(app: App) -> None:
    queue = app.queue("q")
    await app.enqueue("q", "t", 1)
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: app.operation(None).status(),  # type: ignore[arg-type]
        lambda: queue.remove(purge=1),  # type: ignore[arg-type]
        lambda: queue.retry_all("state:failed", rate=10**400),
        lambda: queue.retry_all("state:cancelled or task:t"),  # of which states is not said
        lambda: queue.search("key:\ud800"),
    ]
    for act in acts:
        with pytest.raises(UsageError):
            await act()
    assert (await queue.counts()).waiting == 1
    for page in ("0-0.q", f"{2**64}-1.q"):
        with pytest.raises(UsageError):
            await app.audit(cursor=page)


# -- what other programs wrote ---------------------------------------------------------------------------------------


async def test_numbers_of_others_in_a_group_of_failures_lose_no_outcome(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    await fail(app, 1)
    (name,) = client.hkeys(keys.failure_kinds)
    group = json.loads(client.hget(keys.failure_kinds, name))
    async with working(app):
        for field, wrong in product(("count", "hour", "hours", "zz"), NUMBERS):
            text = json.dumps({**group, field: "@"}).replace('"@"', wrong)
            client.hset(keys.failure_kinds, name, text)
            with pytest.raises(JobFailed, match="no answer"):
                await (await app.enqueue("q", "send", 1)).result(5)
    (found,) = await app.queue("q").failures()
    assert (found.type, found.failed) == ("ValueError", 1 + 4 * len(NUMBERS))


async def test_an_operation_of_others_stops_no_other(
    app: App,
    operate: Any,
    client: redis.Redis,
    prefix: str,
) -> None:
    keys, queue = Keys(prefix, "q"), app.queue("q")
    await app.enqueue_many("q", "t", range(3))
    whole = {
        "kind": "retry", "states": ["failed"], "filter": "state:failed", "cursor": "", "last": {}, "last_end": 9e15,
        "created_ms": 1, "done": 0, "total": 1, "state": "running",
    }  # fmt: skip
    for field in (*whole, "rate", "canary", "trial", "looked", "skipped", "credit", "left"):
        for wrong in (*NUMBERS, '"failed.zz"', '"waiting."', '["none"]'):
            client.hset(
                keys.operations, f"q.{field}", json.dumps({**whole, field: "@"}).replace('"@"', wrong)
            )
            async with app.client.store.pool.links() as links:
                await asyncio.gather(
                    app.client.store.operations.step(links, "q", f"q.{field}"), return_exceptions=True
                )
    for record in await app.operations():
        json.dumps(record.asdict(), allow_nan=False)
    operation = await queue.cancel_all("task:t payload>=0")
    await operate.once()
    assert (await operation.status()).done == 3


async def test_records_of_others_are_none_and_stop_nobody(app: App, client: redis.Redis, prefix: str) -> None:
    keys, records = Keys(prefix, "q"), app.records("q")
    for kept in (
        b"",
        b"x",
        b"\xff",
        b"1",
        b"1\n",
        b"1\n{",
        b"1\n\xff",
        b"1 50 x",
        b"9" * 30 + b"\n1",
        b"1 50 9:1e999",
    ):
        for until_ms in (float("inf"), 1e300, 9e15):
            client.hset(keys.records, mapping={"vk": kept, "ck": kept})
            client.zadd(keys.records_ends, {"vk": until_ms, "ck": until_ms})
            assert await records.get("k") is None
            assert await records.count("k", 1) >= 1
            assert (await records.put("k", 2**70)).value == 2**70
            assert await records.delete("k")


async def test_a_count_is_not_too_low_when_the_clock_was_set_back(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys, records = Keys(prefix, "q"), app.records("q")
    await records.count("k", "10s", by=5)
    kept = client.hget(keys.records, "ck").split(" ")
    later = [f"{int(number) + 1000}:{n}" for number, n in (each.split(":") for each in kept[2:])]
    client.hset(keys.records, "ck", " ".join([*kept[:2], *later]))  # as an hour or so ago would find it
    assert await records.count("k", "10s") == 6


async def test_a_retention_of_others_says_nothing(app: App, client: redis.Redis, prefix: str) -> None:
    keys, queue = Keys(prefix, "q"), app.queue("q")
    for wrong in (b"", b"x", b"nan", b"1e999", b"-1", b"\xff"):
        client.hset(keys.retention, "failed", wrong)
        job = await app.enqueue("q", "t", 1)
        await queue.cancel(job.id)
        assert (await job.status()).state is State.CANCELLED


async def test_an_entry_with_the_id_of_another_job_is_not_taken_for_it_and_no_job_is_counted_twice(
    app: App, client: redis.Redis, prefix: str, operate: Operator
) -> None:
    """Another program wrote them amid the lane, where the jobs of a call are read together."""
    keys, queue = Keys(prefix, "q"), app.queue("q")
    delayed = await app.enqueue("q", "t", 0, delay=60)
    first = await app.enqueue("q", "t", 1)
    for job_id in (delayed.id, first.id, first.id):
        client.xadd(
            keys.ready,
            {"task": "t", "payload": "9", "headers": json.dumps({"id": job_id}, separators=(",", ":"))},
        )
    last = await app.enqueue("q", "t", 2)
    cancel = await queue.cancel_all("state:waiting")
    await until(lambda: _stepped(operate, cancel))
    assert (await cancel.status()).done == 2
    assert [(await job.status()).state for job in (delayed, first, last)] == [
        State.DELAYED, State.CANCELLED, State.CANCELLED,
    ]  # fmt: skip
    assert client.xlen(keys.ready) == 3, "what is nobody's is left to the workers"


async def _stepped(operate: Operator, operation: Operation) -> bool:
    await operate.see_to("q")
    return (await operation.status()).state != "running"
