"""Tailing: what the jobs of many queues tell as it happens, to a program and to who types ``streamq events tail``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import (
    App,
    Context,
    Fail,
    Hearing,
    JobRecord,
    LogLine,
    Missed,
    NotOpen,
    Progress,
    Told,
    UsageError,
)
from streamq.client import tailing

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working


@asynccontextmanager
async def tailed(app: App, heard: Collection[str], *given: Any, **options: Any) -> AsyncIterator[list[Told]]:
    """What is told within the block, once these queues are heard."""
    found: list[Told] = []

    async def follow(events: AsyncGenerator[Told]) -> None:
        async with aclosing(events):
            async for each in events:
                found.append(each)  # noqa: PERF401  # each is looked at before the next comes

    task = asyncio.create_task(follow(app.tail(*given, **options)))
    try:
        await until(lambda: {each.queue for each in found if each.event == Hearing(True)} >= {*heard})
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])


def of(found: list[Told], kind: type[Any]) -> list[Any]:
    return [each.event for each in found if isinstance(each.event, kind)]


def steps_of(app: App, queue: str) -> Any:
    @app.task(name=f"steps-{queue}", queue=queue, attempts=1)
    async def steps(number: int, ctx: Context) -> int:
        await ctx.progress(0.5, "half")
        ctx.log(f"line {number}")
        if number == 2:
            raise Fail("as it was told to")
        return number

    return steps


async def test_who_tails_hears_ends_progress_and_lines_of_all_queues(app: App) -> None:
    a, b = steps_of(app, "a"), steps_of(app, "b")
    async with tailed(app, "ab") as found, working(app):
        one, two = await a.enqueue(1), await b.enqueue(2)
        await until(lambda: len(of(found, JobRecord)) == 2 and len(of(found, LogLine)) == 2)
        ends = {(each.queue, each.job_id): each.event for each in found if isinstance(each.event, JobRecord)}
        assert {of_job: end.state.value for of_job, end in ends.items()} == {
            ("a", one.id): "completed", ("b", two.id): "failed",
        }  # fmt: skip
        assert ends["b", two.id].error.message == "as it was told to"
        assert {each.text for each in of(found, LogLine)} == {"line 1", "line 2"}
        assert [each.note for each in of(found, Progress)] == ["half", "half"]


async def test_queues_kinds_and_states_narrow_what_is_told(app: App) -> None:
    a, b = steps_of(app, "a"), steps_of(app, "b")
    async with tailed(app, "a", ["a"], kinds=["end"], states=["failed"]) as found, working(app):
        for number in (1, 2, 3):
            await b.enqueue(number)
            await a.enqueue(number)
        await until(lambda: _is_over(app, "a", 3))
        await until(lambda: of(found, JobRecord))
        assert {(each.queue, each.event.state.value) for each in found if each.job_id} == {("a", "failed")}
        assert not of(found, LogLine)


async def _is_over(app: App, queue: str, many: int) -> bool:
    counts = await app.queue(queue).counts()
    return counts.completed + counts.failed == many


async def test_a_queue_that_begins_later_is_heard_too(app: App) -> None:
    async with tailed(app, ()) as found:
        await app.client.store.queues.announce("late")
        await until(lambda: Told("late", "", Hearing(True)) in found)


async def test_who_reads_too_slowly_is_told_how_many_were_missed(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "BEHIND", 10)
    task = steps_of(app, "q")
    events = app.tail(["q"], kinds=["end"])
    assert (await anext(events)).event == Hearing(True)
    async with working(app):
        for job in await task.enqueue_many([1] * 50):
            await job.result(10)
        async with aclosing(events):
            found = [await anext(events) for _ in range(10)]
            assert len(of(found, JobRecord)) == 10
            assert (await anext(events)).event == Missed(40)


async def test_a_signal_of_another_program_ends_no_tail_and_is_told_in_a_line(
    app: App, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    task = steps_of(app, "q")
    channels = app.client.store.keys("q")
    async with tailed(app, "q") as found, working(app):
        for odd in (b"", b"ended 1-1:99\n\n", b"report x\n\n", b"\xff\xfe\n\n", b"ended \n\nabc"):
            client.publish(channels.ended, odd)
            client.publish(channels.reported, odd)
        await task.enqueue(1)
        await until(lambda: "completed" in [each.state.value for each in of(found, JobRecord)])
    said = [record for record in caplog.records if record.levelname != "INFO"]
    assert said
    assert {(record.levelname, record.exc_info) for record in said} == {("WARNING", None)}


async def test_what_cannot_be_tailed_is_refused_with_the_nearest(app: App) -> None:
    with pytest.raises(UsageError, match="kinds has 'ends': did you mean end"):
        app.tail(kinds=["ends"])
    with pytest.raises(UsageError, match="states has 'active'"):
        app.tail(states=["active"])
    with pytest.raises(UsageError, match="give a list of"):
        app.tail(kinds=[])


async def test_a_tail_ends_when_its_app_is_closed(app: App) -> None:
    another = App(app.settings)
    async with another:
        await another.client.store.queues.announce("q")
        events = another.tail(["q"])
        await anext(events)
    with pytest.raises(NotOpen, match="closed while its queues were tailed"):
        await anext(events)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_command_shows_them_a_line_each(
    app: App, tmp_path: Path, server_url: str, prefix: str, client: redis.Redis
) -> None:
    task = steps_of(app, "q")
    await app.client.store.queues.announce("q")
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}

    def heard() -> bool:
        ((_, count),) = client.pubsub_numsub(app.client.store.keys("q").reported)
        return int(count) > 0

    for flags, lines in (
        (("--limit", "3"), 3),
        (("--limit", "1", "--kind", "end", "--kind", "line", "--json"), 0),
    ):
        call = Call(("events", "tail", "--queue", "q", *flags))
        run = asyncio.create_task(asyncio.to_thread(run_all, tmp_path, [call], **environment))
        await until(heard)
        async with working(app):
            job = await task.enqueue(1)
            (ended,) = await run
        assert ended.code == 0
        if lines:
            assert any(f"q {job.id} steps-q completed" == line for line in ended.out.splitlines())
            assert f"q {job.id} progress 50% half" in ended.out
        else:
            said = [json.loads(line) for line in ended.out.splitlines()]
            assert said[0] == {"event": "hearing", "queue": "q", "heard": True}
            assert said[-1]["job"] == job.id
            assert "payload" not in said[-1]
