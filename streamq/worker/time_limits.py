"""The time limits of attempts, each from the moment at which its handler was called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from streamq.model.clock import monotonic
from streamq.worker.attempt import Attempt

CANCEL_GRACE: Final = 2.0
"""Seconds an async handler may take to end, once it was cancelled at its time limit or by a shutdown: enough to close
what it has open, and less than an orchestrator waits before it kills."""
EARLY: Final = 0.005
"""Seconds by which a timer may be early: some loops count in milliseconds."""


class TimeLimits:
    """``expire`` is for the timers; ``overdue`` takes an attempt whose handler could not be ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, overdue: Callable[[Attempt], None]) -> None:
        self._loop, self._overdue = loop, overdue

    def expire(self, attempt: Attempt) -> None:
        """Its time is over: a coroutine is cancelled and gets a moment to clean up; a thread cannot be interrupted."""
        if attempt.settled:
            return
        left = attempt.limit - (monotonic() - attempt.begun if attempt.begun else 0.0)
        if left > EARLY:  # it began later than its timer
            attempt.timer = self._loop.call_later(left, self.expire, attempt)
        elif attempt.handle is None:
            self._overdue(attempt)
        elif attempt.late:
            self._overdue(attempt)
            attempt.handle.cancel()  # it swallowed the first one; a second may meet it elsewhere
        else:
            attempt.late = True
            attempt.timer = self._loop.call_later(CANCEL_GRACE, self.expire, attempt)
            attempt.handle.cancel()
