"""A task whose first step is made at once is like any other task, also where Python does not offer it."""

from __future__ import annotations

import asyncio
import contextvars
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from streamq.worker.calls import FirstSteps, starter

Begin = Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]]

SEEN: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="")


@pytest.fixture(params=["of this Python", "of 3.11"])
async def begin(request: pytest.FixtureRequest) -> Begin:
    loop = asyncio.get_running_loop()
    return starter(loop) if request.param == "of this Python" else FirstSteps(loop).begin


async def test_what_never_waits_has_ended_and_what_waits_is_the_same_task_after_it(begin: Begin) -> None:
    tasks = list[Any]()

    async def work(wait: float | None) -> int:
        tasks.append(asyncio.current_task())
        if wait is not None:
            await asyncio.sleep(wait)
        tasks.append(asyncio.current_task())
        return 7

    before = asyncio.current_task()
    ended = begin(work(None))
    assert ended.done()
    assert ended.result() == 7
    waiting = begin(work(0.001))
    assert waiting in asyncio.all_tasks()
    assert not waiting.done()
    assert asyncio.current_task() is before
    assert await waiting == 7
    assert tasks == [ended, ended, waiting, waiting]


async def test_its_context_is_its_own_and_holds_across_its_waits(begin: Begin) -> None:
    seen = list[str]()

    async def work(value: str) -> None:
        seen.append(SEEN.get())
        token = SEEN.set(value)
        await asyncio.sleep(0)
        seen.append(SEEN.get())
        SEEN.reset(token)
        seen.append(SEEN.get())

    await asyncio.gather(begin(work("one")), begin(work("two")))
    assert SEEN.get() == ""
    assert sorted(seen) == ["", "", "", "", "one", "two"]


async def test_a_time_limit_and_a_group_may_be_its_first_words(begin: Begin) -> None:
    async def limited() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            return "in time"
        return "late"

    async def grouped() -> list[str]:
        async with asyncio.TaskGroup() as group:
            parts = [group.create_task(limited()) for _ in range(2)]
        return [part.result() for part in parts]

    assert await begin(limited()) == "in time"
    assert await begin(grouped()) == ["in time", "in time"]


async def test_it_can_be_cancelled_at_its_first_wait_and_what_it_waits_for_is_too(begin: Begin) -> None:
    inner = asyncio.create_task(asyncio.sleep(60))
    cleaned = list[str]()

    async def work() -> None:
        try:
            await inner
        finally:
            cleaned.append("up")

    task = begin(work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.cancelled()
    assert cleaned == ["up"]


async def test_an_error_in_its_first_step_is_its_own_with_no_frame_of_ours(begin: Begin) -> None:
    async def work() -> None:
        raise ValueError("no")

    task = begin(work())
    error = task.exception()
    assert isinstance(error, ValueError)
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)] == ["work"]


async def test_an_exit_in_its_first_step_is_the_callers_who_stays_itself(begin: Begin) -> None:
    tasks = list[Any]()

    async def work() -> None:
        tasks.append(asyncio.current_task())
        raise SystemExit(3)

    before = asyncio.current_task()
    with pytest.raises(SystemExit):
        begin(work())
    assert asyncio.current_task() is before
    assert isinstance(tasks[0].exception(), SystemExit)
    assert await begin(asyncio.sleep(0, "the next")) == "the next"


async def test_it_may_await_what_is_done_and_a_loop_in_debug_mode_minds_nothing(begin: Begin) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    done: asyncio.Future[str] = loop.create_future()
    done.set_result("done")

    async def work() -> str:
        await asyncio.sleep(0)
        return await done

    try:
        assert await begin(work()) == "done"
    finally:
        loop.set_debug(False)


async def test_what_else_is_asked_of_the_loop_while_a_task_is_made_is_done_in_its_turn() -> None:
    """The garbage collector may run anything anywhere."""
    loop, ran = asyncio.get_running_loop(), list[int]()
    steps = FirstSteps(loop)
    steps._call_soon(ran.append, 1)
    other = asyncio.create_task(asyncio.sleep(0, 2))
    assert ran == []
    ran.append(await other)
    assert ran == [1, 2]
