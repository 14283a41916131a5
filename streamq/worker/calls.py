"""How handlers are called: as a task of the loop, or in a thread."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
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


if sys.version_info >= (3, 12):

    def begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """A task that runs up to its first wait at once: a handler that never waits costs no turn of the loop."""
        return asyncio.Task(attempt, loop=loop, eager_start=True)

else:

    def begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """A task; it begins in the next turn of the loop."""
        return loop.create_task(attempt)
