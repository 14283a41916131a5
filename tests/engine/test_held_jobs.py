"""Jobs that wait for the gate: they are listed and found, and people do with them what they do with any that waits."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import redis

from streamq import App, JobFailed, State, WrongState
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working

pytestmark = ON_ONE_SERVER

GROUPS = ("a", "a:1", "a:2", "ab", "b:1")


@pytest.fixture
async def q(app: App) -> Any:
    @app.task(queue="q", attempts=1)
    async def work(what: Any) -> Any:
        if what == "no":
            raise ValueError(what)
        return what

    return app.queue("q")


async def waiting_of(q: Any) -> dict[str, int]:
    return {group.name: group.waiting for group in await q.groups()}


async def found_by(q: Any, text: str) -> list[Any]:
    items, cursor = [], None
    while True:
        page = await q.search(text, limit=7, cursor=cursor)
        items, cursor = items + page.items, page.next
        if cursor is None:
            return items


async def test_held_jobs_are_listed_page_by_page(app: App, q: Any) -> None:
    sent = [job.id for group in GROUPS for job in await app.enqueue_many("q", "work", range(30), group=group)]
    await app.enqueue_many("q", "work", range(30), delay=60)
    listed, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        page = await q.jobs(State.HELD, limit=40, cursor=cursor)
        listed, cursor, pages = listed + page.items, page.next, pages + 1
    assert sorted(job.id for job in listed) == sorted(sent)
    assert pages >= 4
    assert {job.state for job in listed} == {State.HELD}


@pytest.mark.parametrize(
    ("text", "groups"),
    {
        "group:a": ("a", "a:1", "a:2"), 'group:"a"': ("a", "a:1", "a:2"), "group=a": ("a",), "group:a:2": ("a:2",),
        "group:a*": ("a", "a:1", "a:2", "ab"), "group:*:1": ("a:1", "b:1"), "group~B": ("ab", "b:1"),
        "group:a not group:a:1": ("a", "a:2"), "group!=a group:a": ("a:1", "a:2"), "group:A": (), "group:1": (),
    }.items(),
)  # fmt: skip
async def test_a_filter_by_group_finds_the_held_jobs_of_a_tenant_with_its_parts(
    app: App, q: Any, text: str, groups: tuple[str, ...]
) -> None:
    for group in GROUPS:
        await app.enqueue_many("q", "work", range(3), group=group)
    await app.enqueue_many("q", "work", ["group a"] * 3)
    found = await found_by(q, text)
    assert sorted(job.group for job in found) == sorted(3 * groups)


async def test_a_filter_by_group_finds_its_jobs_in_every_state(app: App, q: Any) -> None:
    async with working(app):
        jobs = [
            *await app.enqueue_many("q", "work", ["yes", "no"], group="a:1"),
            *await app.enqueue_many("q", "work", ["yes", "no"], group="b"),
        ]
        for job in jobs:
            with contextlib.suppress(JobFailed):
                await job.result(5)
    for group in ("a:1", "b"):
        await app.enqueue_many("q", "work", range(2), group=group)
        await app.enqueue("q", "work", 3, group=group, delay=60)
        await (await app.enqueue("q", "work", 4, group=group)).cancel()
    found = await found_by(q, "group:a")
    assert {job.group for job in found} == {"a:1"}
    states = [State.HELD] * 2 + [State.COMPLETED, State.FAILED, State.DELAYED, State.CANCELLED]
    assert sorted(job.state for job in found) == sorted(states)


async def test_one_held_job_is_changed_as_any_that_waits(app: App, q: Any) -> None:
    jobs = await app.enqueue_many("q", "work", range(5), group="a")
    assert (await q.edit(jobs[0].id, "new")).payload == "new"
    assert (await q.change_priority(jobs[1].id, "critical")).priority == "critical"
    assert (await jobs[3].cancel("why")).state is State.CANCELLED
    for act in (q.delete, q.promote, q.retry):
        with pytest.raises(WrongState, match="it is held, and it allows cancel, priority, edit"):
            await act(jobs[4].id)
    assert await waiting_of(q) == {"a": 4}
    await q.group("a").limit(concurrency=1)
    async with working(app, concurrency=1):
        assert [await jobs[n].result(5) for n in (0, 1, 2, 4)] == ["new", 1, 2, 4]
        starts = {n: (await jobs[n].status()).started_at for n in (0, 1, 2, 4)}
    assert min(starts, key=lambda n: str(starts[n])) == 1, "the critical one goes first"


async def test_a_held_job_that_was_to_start_earlier_ends_as_expired_and_takes_no_turn(
    app: App, q: Any
) -> None:
    late = await app.enqueue("q", "work", 1, group="a", expires=0.05)
    other = await app.enqueue("q", "work", 2, group="a")
    await q.group("a").pause(until=0.2)
    async with working(app):
        with pytest.raises(JobFailed, match="expired"):
            await late.result(5)
        assert await other.result(5) == 2


async def test_all_held_jobs_of_a_group_are_cancelled_or_deleted_and_its_lines_are_gone(
    app: App, q: Any, client: redis.Redis, prefix: str
) -> None:
    for group in GROUPS:
        await app.enqueue_many("q", "work", range(40), group=group, priority="high")
        await app.enqueue_many("q", "work", range(40), group=group)
    async with working(app, queues=["other"]):  # who carries out operations
        ended = await (await q.cancel_all("group:a state:held")).wait(10)
        assert ended.done == 240
        assert await waiting_of(q) == {"ab": 80, "b:1": 80}
        assert len(await found_by(q, "group:a state:cancelled")) == 240
        await (await q.drain(delayed=True)).wait(10)
    assert await waiting_of(q) == {}
    kept = {
        key.removeprefix(Keys(prefix, "q").ready) for key in client.scan_iter(f"{Keys(prefix, 'q').line}*")
    }
    assert not kept


async def test_a_queue_is_removed_with_its_held_jobs(app: App, q: Any, client: redis.Redis) -> None:
    for group in GROUPS:
        await app.enqueue_many("q", "work", range(9), group=group)
    await q.remove(purge=True)
    await until(lambda: not list(client.scan_iter("*{q}*")))


async def test_what_another_program_wrote_into_a_lane_is_not_held_for_its_group_before_its_next_attempt(
    app: App, q: Any, client: redis.Redis, prefix: str
) -> None:
    await q.group("a").pause()
    async with working(app):
        fields = {"task": "work", "payload": '"no"', "headers": '{"group": "a", "attempts": 2}'}
        job_id = client.xadd(Keys(prefix, "q").ready, fields)
        await until(lambda: client.hexists(Keys(prefix, "q").parked, job_id))
        await until(lambda: client.zcard(Keys(prefix, "q").lines))
        job = await q.get(job_id)
    assert (job.state, job.group, job.attempt) == (State.HELD, "a", 1)
    assert (await q.why(job_id)).code == "group-paused"
    assert (await q.group("a").status()).active == 0
