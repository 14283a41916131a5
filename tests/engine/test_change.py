"""Changing a job that has not begun, and deleting one that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from streamq import (
    App,
    InvalidPayload,
    Job,
    JobNotFound,
    KeyInUse,
    State,
    Unique,
    UsageError,
    VersionConflict,
    WrongState,
)
from streamq.model.keys import GROUP, Keys
from streamq.model.states import STARTS

from ..rig import ON_ONE_SERVER, census, until, working

pytestmark = ON_ONE_SERVER


async def _ran(app: App, count: int) -> list[Any]:
    """The payloads of the queue's jobs in the order in which one worker runs them."""
    ran: list[Any] = []

    @app.task(queue="q", name="t")
    async def work(payload: Any) -> None:
        ran.append(payload)

    async with working(app, concurrency=1):
        await until(lambda: len(ran) == count)
    return ran


async def test_a_waiting_job_that_is_changed_goes_to_the_end_of_its_lane_and_runs_once(
    app: App, client: redis.Redis, prefix: str
) -> None:
    first, second, third = [await app.enqueue("q", "t", n) for n in range(3)]
    record = await first.edit("new")
    assert (record.id, record.state, record.payload, record.version) == (first.id, State.WAITING, "new", 1)
    assert await first.status() == record
    await second.change_priority("low")
    assert client.xlen(Keys(prefix, "q").low) == 1
    assert (await second.change_priority("normal")).priority == "normal"
    assert await third.status() == (await app.queue("q").jobs(State.WAITING)).items[0]
    assert await _ran(app, 3) == [2, "new", 1]
    census(client, prefix, "q").check()


async def test_a_delayed_job_is_promoted_or_gets_another_time_and_runs_once(
    app: App, client: redis.Redis, prefix: str
) -> None:
    soon, later, now = [await app.enqueue("q", "t", n, delay=60) for n in range(3)]
    record = await soon.reschedule(delay=0.2)
    assert record.due_at is not None
    assert record.state is State.DELAYED
    at = datetime.now(UTC) + timedelta(hours=1)
    moved = (await later.reschedule(at=at)).due_at
    assert moved is not None
    assert abs(moved - at) < timedelta(milliseconds=1)
    promoted = await now.promote()
    assert (promoted.state, promoted.due_at, promoted.version) == (State.WAITING, None, 1)
    assert await _ran(app, 2) == [2, 0], "the promoter hears of the earlier time"
    assert (await later.status()).state is State.DELAYED
    await later.reschedule(at=datetime.now(UTC) - timedelta(hours=1))
    assert await _ran_again(app, later) is State.COMPLETED
    census(client, prefix, "q").check()


async def test_a_job_that_is_due_earlier_now_starts_then_beside_a_worker_that_waits(app: App) -> None:
    @app.task(queue="q")
    async def work() -> None: ...

    async with working(app):
        await (await work.enqueue()).result(5)
        job = await work.options(delay=60).enqueue()
        await job.reschedule(delay=0.1)
        await job.result(3)


async def _ran_again(app: App, job: Job[Any]) -> State:
    async with working(app):
        await job.result(5)
    return (await job.status()).state


async def test_a_waiting_job_that_is_given_a_time_waits_for_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    job = await app.enqueue("q", "t", 1, priority="high")
    record = await app.queue("q").change(job.id, payload=2, priority="low", delay="5m", version=0)
    assert (record.state, record.payload, record.priority, record.version) == (State.DELAYED, 2, "low", 1)
    census(client, prefix, "q").check()
    assert (await job.promote()).state is State.WAITING
    assert client.xlen(Keys(prefix, "q").low) == 1
    census(client, prefix, "q").check()


async def test_of_20_who_edit_one_version_at_once_one_does_and_the_others_are_told_the_new_one(
    app: App,
) -> None:
    job = await app.enqueue("q", "t", "old", delay=60)
    edits = [job.edit(n, version=0) for n in range(20)]
    said = await asyncio.gather(*edits, return_exceptions=True)
    conflicts = [each for each in said if isinstance(each, VersionConflict)]
    assert len(conflicts) == 19
    assert {(c.expected, c.version) for c in conflicts} == {(0, 1)}
    (done,) = [each for each in said if not isinstance(each, BaseException)]
    assert await job.status() == done
    assert (await job.edit("whatever it is")).version == 2


async def test_an_edit_is_checked_by_the_task_where_it_is_known_here(app: App) -> None:
    @app.task(queue="q")
    async def double(number: int) -> int:
        return 2 * number

    job = await double.enqueue(1, delay=60)
    with pytest.raises(InvalidPayload):
        await job.edit("text")
    assert (await job.status()).version == 0
    await job.edit(21)
    await job.promote()
    async with working(app):
        assert await job.result(5) == 42


async def test_an_edit_leaves_the_unique_key_what_it_was(app: App) -> None:
    @app.task(queue="q", unique=Unique(fields=["number"]))
    async def work(order: dict[str, int]) -> None: ...

    job = await work.enqueue({"number": 1}, delay=60)
    key = (await job.status()).key
    assert (await job.edit({"number": 2})).key == key
    assert (await work.enqueue({"number": 1})).disposition == "existing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "say what to change"), ({"version": -1, "payload": 1}, "not a version"),
        ({"priority": "urgent"}, "use one of"), ({"delay": -1}, "delay=-1"),
        ({"delay": 1, "at": datetime.now(UTC)}, "not both"), ({"at": datetime(2030, 1, 1)}, "no time zone"),
    ],
)  # fmt: skip
async def test_a_change_that_cannot_be_is_refused_and_changes_nothing(
    app: App, change: dict[str, Any], said: str
) -> None:
    job = await app.enqueue("q", "t", 1)
    before = await job.status()
    with pytest.raises(UsageError, match=said):
        await app.queue("q").change(job.id, **change)
    with pytest.raises(UsageError, match="say when"):
        await job.reschedule()
    assert await job.status() == before


ACTS: dict[str, Callable[[Job[Any]], Awaitable[Any]]] = {
    "cancel": lambda job: job.cancel(),
    "promote": lambda job: job.promote(),
    "reschedule": lambda job: job.reschedule(delay=9),
    "priority": lambda job: job.change_priority("low"),
    "edit": lambda job: job.edit(9),
    "retry": lambda job: job.retry(),
    "delete": lambda job: job.delete(),
}


async def test_each_action_is_possible_in_the_states_of_its_row_and_refused_in_all_others_with_what_is_possible(
    app: App, client: redis.Redis, prefix: str
) -> None:
    assert ACTS.keys() == STARTS.keys()
    keys = Keys(prefix, "q")
    for state in State:
        for action, act in ACTS.items():
            job = await _in(app, client, keys, state)
            if state in STARTS[action] or (action, state) == ("cancel", State.CANCELLED):
                await act(job)
            else:
                with pytest.raises(WrongState) as told:
                    await act(job)
                possible = tuple(each for each in ACTS if state in STARTS[each])
                assert (told.value.action, told.value.state, told.value.allowed) == (action, state, possible)
                assert (await job.status()).state is state
    for action, act in ACTS.items():
        with pytest.raises(JobNotFound):
            await act(Job("1-1", "q", "t", app.client, None))
        assert action
    census(client, prefix, "q").check()


async def _in(app: App, client: redis.Redis, keys: Keys, state: State) -> Job[Any]:
    """A job in that state."""
    job = await app.enqueue("q", "t", 1, **({"delay": 60} if state in (State.DELAYED, State.HELD) else {}))
    if state is State.HELD:
        client.zrem(keys.delayed, job.id)
    elif state is State.ACTIVE:
        links = app.client.store.links()
        await app.client.store.delivery.join(links, ["q"])
        while True:
            _, entries = await app.client.store.delivery.fetch(links, "q", "w", 100)
            if any(entry[0].decode() == job.id for entry in entries):
                break
        await links.close()
    elif state not in (State.WAITING, State.DELAYED):
        _end(client, keys, job.id, state)
    return job


def _end(client: redis.Redis, keys: Keys, job_id: str, state: State) -> None:
    mark = {State.COMPLETED: "c", State.FAILED: "f", State.CANCELLED: "x", State.EXPIRED: "e"}[state]
    client.xdel(keys.ready, job_id)
    client.hset(keys.finished, job_id, f'{mark}5 0 w\nt\n\n{{"type":"E","message":""}}\n1')
    if state is State.COMPLETED:
        client.rpush(keys.completed, job_id)
    else:
        index = keys.failures if state is State.FAILED else getattr(keys, state.value)
        client.zadd(index, {job_id: 2**41})


async def test_a_deleted_record_is_gone_from_its_list_and_from_the_counts_also_among_very_many(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    jobs = [await _in(app, client, keys, State.COMPLETED) for _ in range(3)]
    await jobs[1].delete()
    assert client.lrange(keys.completed, 0, -1) == [jobs[0].id, jobs[2].id]
    for end in (client.lpush, client.rpush):
        end(keys.completed, *[f"{n}-9" for n in range(1, 1_500)])
    client.hset(keys.finished, mapping={f"{n}-9": "c0 0 w\nt\n\n1\n1" for n in range(1, 1_500)})
    assert (await app.queue("q").counts()).completed == 1_501
    await jobs[2].delete()
    assert (await app.queue("q").counts()).completed == 1_500
    with pytest.raises(JobNotFound):
        await jobs[2].status()


async def test_a_failed_job_is_tried_again_only_while_no_other_has_its_unique_key(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    job = await app.enqueue("q", "t", 1, key="order-1")
    assert (await job.status()).key == "order-1"
    await job.cancel()
    other = await app.enqueue("q", "t", 2, key="order-1")
    assert other.disposition == "created", "a cancelled job leaves its key"
    with pytest.raises(KeyInUse) as told:
        await job.retry()
    assert (told.value.key, told.value.other, told.value.state) == ("order-1", other.id, "cancelled")
    await other.cancel()
    assert (await job.retry()).state is State.WAITING
    third = await app.enqueue("q", "t", 3, key="order-1")
    assert (third.disposition, third.id) == ("existing", job.id), "it has taken its key again"
    await job.cancel()
    assert not client.exists(keys.unique)


async def test_a_job_whose_end_was_asked_for_is_nobodys_to_change_also_when_its_consumer_was_deleted(
    app: App, client: redis.Redis, prefix: str
) -> None:
    """It looks as if it waited then; changed, it would go back to its lane and be run."""
    keys = Keys(prefix, "q")
    job = await _in(app, client, keys, State.ACTIVE)
    await job.cancel()
    client.xgroup_delconsumer(keys.ready, GROUP, "w")
    with pytest.raises(WrongState):
        await job.reschedule(delay=9)
    links = app.client.store.links()
    await app.client.store.recovery.audit(links, "q")
    await links.close()
    assert (await job.status()).state is State.CANCELLED
