"""Search: a filter finds what it means, says how far it looked, and is told apart from what is none."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from streamq import App, InvalidFilter, JobFailed, State, UsageError

from ..rig import ON_ONE_SERVER, working

pytestmark = ON_ONE_SERVER


async def everything(app: App, text: str, limit: int = 50) -> tuple[list[Any], int]:
    found, looked, cursor = [], 0, None
    while True:
        page = await app.queue("q").search(text, limit=limit, cursor=cursor)
        found, looked, cursor = found + page.items, looked + page.looked, page.next
        if page.is_complete:
            return found, looked


async def in_all_states(app: App) -> None:
    """Ten jobs or more in each state but active."""

    @app.task(queue="q", attempts=1)
    async def send(n: int) -> int:
        if n % 3 == 0:
            raise ValueError(f"number {n} timed out")
        if n % 3 == 1:
            raise KeyError(n)
        return n

    async with working(app):
        for job in await send.enqueue_many(range(36)):
            with contextlib.suppress(JobFailed):
                await job.result(5)
    await app.enqueue_many("q", "send", range(12), priority="low")
    await app.enqueue_many("q", "other", [{"to": f"+{n}"} for n in range(12)], delay=60)
    await app.queue("q").pause(task="slow")
    await app.enqueue_many("q", "slow", range(12))
    for job in await app.enqueue_many("q", "gone", range(12)):
        await job.cancel("no more", by="ada")


async def test_a_filter_finds_the_jobs_it_means_in_every_state_page_by_page(make_app: Any) -> None:
    async with make_app() as app:
        await in_all_states(app)
        for text, count in {
            "state:failed": 24, "error:TIMED": 12, "error.type:KeyError state:failed": 12, "state:completed": 12,
            "task:send": 48, "task:s*": 60, "state:waiting priority:low payload>5": 6, "state:held": 12,
            'payload.to="+7"': 1, "state:cancelled error:more": 12, "not state:failed": 60, "key:none": 0,
            "state:failed and state:held": 0, "age<1h": 84, "age>1h": 0, "result=5": 1, "attempts=1 ran<1m": 36,
        }.items():  # fmt: skip
            found, looked = await everything(app, text, limit=7)
            assert len(found) == len({job.id for job in found}) == count, text
            assert looked >= count


async def test_what_is_found_without_a_scan_is_found_at_the_first_look(make_app: Any) -> None:
    async with make_app() as app:
        await in_all_states(app)
        queue = app.queue("q")
        for n, group in enumerate(await queue.failures()):
            page = await queue.search(f"state:failed fingerprint:{group.fingerprint}", limit=200)
            assert page.is_complete
            assert page.looked == len(page.items) == 12, n
        job = await app.enqueue("q", "keyed", 1, key="order-9")
        page = await queue.search("key:order-9 state:waiting")
        assert page.is_complete
        assert [each.id for each in page.items] == [job.id]
        assert page.looked == 1
        page = await queue.search(f"id:{job.id}")
        assert page.is_complete
        assert [each.id for each in page.items] == [job.id]
        assert page.looked == 1
        assert (await queue.search("state:failed task:other")).looked == 0


async def test_a_search_answers_after_a_bounded_look_and_goes_on_from_there(app: App) -> None:
    await app.enqueue_many("q", "t", range(4_500))
    page = await app.queue("q").search("payload=4400")
    assert not page.items
    assert page.looked == 2_000
    assert not page.is_complete
    found, looked = await everything(app, "payload=4400")
    assert [job.payload for job in found] == [4400]
    assert looked == 4_500


@pytest.mark.parametrize(("text", "place", "said"), [
    ("", 0, "empty"), ("state:failed age>", 17, "value is missing"), ("stat:failed", 0, "did you mean state"),
    ("state:fail", 6, "did you mean failed"), ("(state:failed", 13, "closing"), ("task:a)", 6, "closes none"),
    ("age>soon", 4, "duration"), ("attempts>many", 9, "number"), ("task>5", 4, "compared by"),
    ('error:"x', 6, "value is missing"), ("hello", 0, "no term"), ("task:a or", 9, "term is missing"),
    ("not " * 30 + "task:a", 80, "deep"), ("task:a " * 101, 700, "100 terms"), ("x" * 3000, 2000, "characters"),
])  # fmt: skip
async def test_a_filter_that_cannot_be_read_says_where(app: App, text: str, place: int, said: str) -> None:
    with pytest.raises(InvalidFilter, match=said) as raised:
        await app.queue("q").search(text)
    assert raised.value.place == place
    assert ">>>" in str(raised.value)


async def test_a_cursor_of_another_search_is_refused(app: App) -> None:
    for cursor in ("nothing.1", "failed.x", "waiting.1:x", "held.x+1", "completed.9"):
        with pytest.raises(UsageError, match="is not a cursor"):
            await app.queue("q").search("age>1s", cursor=cursor)


async def test_the_active_are_found_where_they_run(make_app: Any) -> None:
    async with make_app() as app:
        begun, end = asyncio.Event(), asyncio.Event()

        @app.task(queue="q")
        async def wait(n: int) -> None:
            begun.set()
            await end.wait()

        async with working(app):
            job = await wait.enqueue(5)
            await begun.wait()
            page = await app.queue("q").search("state:active payload=5")
            end.set()
            assert [(each.id, each.state) for each in page.items] == [(job.id, State.ACTIVE)]
