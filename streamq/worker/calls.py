"""How handlers are called: as a task of the loop, or in a thread."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from streamq.logs import CURRENT
from streamq.model.clock import monotonic
from streamq.worker.attempt import Attempt


async def outcome_of(attempt: Attempt, awaitable: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """What an awaitable comes to, as a value."""
    CURRENT.set(attempt)
    try:
        return await awaitable, None
    except BaseException as error:  # judged like that of any other handler
        return None, error
    finally:
        CURRENT.set(None)  # it refers to the task that we are, which refers to its context


def in_thread(attempt: Attempt, call: Callable[[], Any]) -> Any:
    """The time limit counts from here: not while a call waits for a thread."""
    CURRENT.set(attempt)
    attempt.begun = monotonic()
    return call()


def starter(loop: asyncio.AbstractEventLoop) -> Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]:
    """Makes tasks that run up to their first wait at once: a handler that never waits costs no turn of the loop."""
    if sys.version_info >= (3, 12):
        return partial(asyncio.Task, loop=loop, eager_start=True)
    try:
        loop.call_soon = loop.call_soon  # type: ignore[method-assign]
        del loop.call_soon
    except AttributeError:  # a loop with a fixed set of attributes: the first step waits for a turn
        return loop.create_task
    return FirstSteps(loop).begin


class FirstSteps:
    """What ``eager_start`` does, for Python 3.11: a task asks the loop for its first step, and gets it here and now.

    All else is the task's own doing: its context, its cancellation, what it waits for, and ``current_task``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._later, self._here = loop, loop.call_soon, self._call_soon
        self._coroutine: Coroutine[Any, Any, None] | None = None
        self._step: tuple[Callable[[], object], contextvars.Context] | None = None

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that has made its first step."""
        loop, self._coroutine = self._loop, coroutine
        loop.call_soon = self._here  # type: ignore[method-assign,assignment]
        try:
            task = asyncio.Task(coroutine, loop=loop)
        finally:
            del loop.call_soon
            self._coroutine = None
        if self._step is None:  # a task that asks in another way makes its first step in the next turn
            return task
        (step, context), self._step = self._step, None
        current = asyncio.current_task(loop)
        if current is not None:
            _leave_task(loop, current)
        try:
            context.run(step)
        finally:
            if current is not None:
                _enter_task(loop, current)
        return task

    def _call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> Any:
        """Keep the first step of our task. What the garbage collector may run meanwhile goes to the loop."""
        task = getattr(callback, "__self__", None)
        if not isinstance(task, asyncio.Task) or task.get_coro() is not self._coroutine:
            return self._later(callback, *args, context=context)
        self._step = callback, context
        return None
