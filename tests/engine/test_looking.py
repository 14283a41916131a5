"""Looking: where a job is, how many there are, and pages of them. What is told equals what is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from streamq import App, Backoff, Counts, State, StreamqError, UsageError, Worker
from streamq.model.keys import GROUP, Keys

from ..rig import ON_ONE_SERVER, census, until, working


async def every_state(app: App) -> dict[str, list[str]]:
    """Jobs in every state: ids by state, in the order of creation."""
    end = asyncio.Event()

    @app.task(queue="q", attempts=1)
    async def work(what: str) -> str:
        if what == "fail":
            raise ValueError(what)
        if what == "hang":
            await end.wait()
        return what

    ids: dict[str, list[str]] = {}
    worker = Worker(app, concurrency=3)
    run = asyncio.create_task(worker.run())
    for state, what, count in (("completed", "go", 7), ("failed", "fail", 5), ("active", "hang", 3)):
        jobs = await work.enqueue_many([what] * count)
        ids[state] = [job.id for job in jobs]
        await until(lambda state=state, count=count: _count(app, state, count))
    ids["waiting"] = [job.id for job in await work.enqueue_many(["go"] * 6)]
    ids["delayed"] = [(await work.enqueue("go", delay=60 + n)).id for n in range(4)]
    app.state["end"] = (worker, run, end)
    return ids


@pytest.fixture
async def ids(app: App) -> AsyncIterator[dict[str, list[str]]]:
    yield await every_state(app)
    worker, run, end = app.state["end"]
    worker.stop()
    end.set()
    await run


async def _count(app: App, state: str, count: int) -> bool:
    return (await app.queue("q").counts()).asdict()[state] == count


async def test_counts_and_records_of_every_state_equal_a_raw_dump(
    app: App, ids: dict[str, list[str]], client: redis.Redis, prefix: str
) -> None:
    found = census(client, prefix, "q")
    found.check()
    assert found.places == {job_id: [state] for state, listed in ids.items() for job_id in listed}
    assert await app.queue("q").counts() == Counts(
        waiting=6, active=3, delayed=4, held=0, completed=7, failed=5
    )
    for state, listed in ids.items():
        for job_id in listed:
            record = await app.queue("q").get(job_id)
            assert (record.state, record.id, record.task, record.attempts) == (state, job_id, "work", 1)
            assert record.asdict()["state"] == state


@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_pages_list_every_job_of_a_state_once_and_in_order(
    app: App, ids: dict[str, list[str]], limit: int
) -> None:
    for state, listed in ids.items():
        cursor, seen = None, []
        while True:
            page = await app.queue("q").jobs(State(state), limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            seen += [record.id for record in page.items]
            if (cursor := page.next) is None:
                break
        finished = state in ("completed", "failed")
        if finished:
            assert sorted(seen) == sorted(listed)
            times = [(await app.queue("q").get(job_id)).finished_at for job_id in seen]
            assert times == sorted(times, reverse=True), "the latest first"
        else:
            assert seen == listed


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "cursor",
    ["x", "-5", "²", "1-x", "9" * 30, "1:", "9:1-1", "1 or 1", "1:" + "9" * 30 + "-0", "50", "up1", "upx:1-1",
     "down1: 1-1", "down1:1%", "down-:1-1", "backinf:1-1", "back-1:1-1", "back1.5:1-1", "back" + "9" * 20 + ":1-1"],
)  # fmt: skip
async def test_a_cursor_that_is_none_of_ours_is_refused(app: App, state: State, cursor: str) -> None:
    await app.enqueue("q", "t", 1)
    with pytest.raises(UsageError, match="not a cursor"):
        await app.queue("q").jobs(state, cursor=cursor)


@ON_ONE_SERVER
async def test_what_is_no_text_or_no_state_is_refused_as_any_other_mistake_and_shown_short(app: App) -> None:
    queue, long = app.queue("q"), "x" * 5000
    for act, said in (
        (lambda: queue.get(5), "5 is not the id of a job"),
        (lambda: queue.retry(None), "None is not the id of a job"),
        (lambda: queue.cancel(b"1-1"), "b'1-1' is not the id of a job"),
        (lambda: queue.promote(None), "None is not the id of a job"),
        (lambda: queue.reschedule(5, delay=1), "5 is not the id of a job"),
        (lambda: queue.delete(5), "5 is not the id of a job"),
        (lambda: queue.operation(None).status(), "None is not the id of an operation"),
        (lambda: app.once("q", 5, b"").__aenter__(), "key=5 is not possible: use text"),
        (lambda: app.once("q", "k", "body").__aenter__(), "body='body' is not possible: use bytes"),
        (lambda: app.once("q", "k", b"", caller="me").__aenter__(), "caller='me' is not possible: use bytes"),
        (lambda: queue.jobs("done"), "'done' is not a state: use one of waiting, active"),
        (lambda: queue.jobs(State.DELAYED, cursor=b"x"), "b'x' is not a cursor"),
        (lambda: queue.jobs(State.FAILED, cursor=long), "is not a cursor"),
        (lambda: queue.get(long), "has no job"),
        (lambda: app.enqueue(long, "t"), "cannot name a queue"),
    ):
        with pytest.raises(StreamqError, match=said) as caught:
            await act()  # type: ignore[no-untyped-call]
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("limit", [0, -1, 201, True, "5", 1.5, None])
async def test_a_page_has_a_sensible_size(app: App, limit: Any) -> None:
    with pytest.raises(UsageError, match="page size"):
        await app.queue("q").jobs(State.WAITING, limit=limit)


async def test_a_queue_nobody_used_is_empty(app: App) -> None:
    assert await app.queue("q").counts() == Counts()
    for state in State:
        page = await app.queue("q").jobs(state)
        assert (page.items, page.next) == ([], None)
    assert await app.queues() == []
    assert await app.workers() == []


async def test_suspects_are_counted_and_listed_like_any_other_job(
    app: App, client: redis.Redis, prefix: str
) -> None:
    job = await _suspect(app, client, prefix)
    assert await app.queue("q").counts() == Counts(waiting=2)
    listed = [record.id for record in (await app.queue("q").jobs(State.WAITING)).items]
    assert job in listed
    assert len(listed) == 2
    client.xreadgroup(GROUP, "w9", {Keys(prefix, "q").alone: ">"})
    assert await app.queue("q").counts() == Counts(waiting=1, active=1)
    assert [record.id for record in (await app.queue("q").jobs(State.ACTIVE)).items] == [job]


async def _suspect(app: App, client: redis.Redis, prefix: str) -> str:
    """A job that crashed twice, beside one that waits."""
    link, keys = app.client.store.links(), Keys(prefix, "q")
    await app.client.store.delivery.join(link, ["q"])
    job = await app.enqueue("q", "t", 1)
    for _ in range(2):
        client.xreadgroup(GROUP, "w1", {keys.ready: ">"})
        await app.client.store.recovery.reclaim(link, "q", "w1", None)
    await app.enqueue("q", "t", 2)
    await link.close()
    return job.id


async def test_queues_are_those_of_the_tasks_and_those_that_were_used(app: App) -> None:
    app.task(queue="mine")(lambda x: x)
    await app.enqueue("theirs", "t", 1)
    assert await app.queues() == ["mine", "theirs"]


async def test_a_worker_is_listed_while_it_works_and_not_after(app: App) -> None:
    app.task(queue="q")(lambda x: x)
    async with working(app, concurrency=7, name="w1"):
        (info,) = await until(app.workers)
        assert (info.name, info.queues, info.concurrency) == ("w1", ("q",), 7)
        assert info.asdict()["started_at"].endswith("Z")
    assert await app.workers() == []


@pytest.mark.parametrize("state", ["delayed", "failed", "completed"])
async def test_a_job_keeps_its_id_through_every_move(
    app: App, client: redis.Redis, prefix: str, state: str
) -> None:
    """From waiting to active to delayed, again and again, to its end; `moved` forgets it there."""

    @app.task(queue="q", attempts=3, backoff=Backoff(0.01, 0.01))
    async def work(x: int) -> str:
        if state == "failed" or (state == "completed" and not seen):
            seen.append(job.id)
            raise ValueError(x)
        return "done"

    seen: list[str] = []
    job = await work.enqueue(1, delay=0.01 if state == "delayed" else None)
    async with working(app):
        await until(lambda: _is(job, State.FAILED if state == "failed" else State.COMPLETED))
    assert (await app.queue("q").get(job.id)).id == job.id
    assert client.hgetall(Keys(prefix, "q").moved) == {}
    census(client, prefix, "q").check()


async def _is(job: Any, state: State) -> bool:
    return (await job.status()).state is state
