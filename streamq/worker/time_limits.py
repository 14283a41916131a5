"""The time limits of attempts, each from the moment at which its handler was called.

One timer for all attempts with the same limit: they end their time in the order in which they began, so it is set for
the first of them. A timer for each would cost more than a short handler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from streamq.model.clock import monotonic
from streamq.worker.attempt import Attempt

CANCEL_GRACE: Final = 2.0
"""Seconds a handler may take to end, once it was cancelled at its time limit, by a shutdown or on request: enough to
close what it has open, and less than an orchestrator waits before it kills."""
EARLY: Final = 0.005
"""Seconds by which a timer may be early: some loops count in milliseconds."""
LIMITS: Final = 100
"""Limits that share a timer: an app has few, and a line is kept as long as its limit. Of any others, as where each job
brings one of its own, each attempt has its own timer."""


class TimeLimits:
    """``watch`` is for each attempt whose handler runs on; ``overdue`` takes one whose handler could not be ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, overdue: Callable[[Attempt], None]) -> None:
        self._loop, self._overdue = loop, overdue
        self._lines: dict[float, dict[Attempt, None]] = {}
        """By limit: the attempts that run, in the order in which they began. Those that end leave it."""

    def watch(self, attempt: Attempt) -> None:
        """From here the attempt has its limit."""
        limit = attempt.limit
        line = self._lines.get(limit)
        if attempt.begun and line is not None:
            line[attempt] = None
            attempt.line = line
        elif attempt.begun and len(self._lines) < LIMITS:
            attempt.line = self._lines[limit] = {attempt: None}
            self._loop.call_later(limit, self._next, limit)
        else:  # a plain handler's thread: one that is late to begin would hold up those behind it
            attempt.timer = self._loop.call_later(limit, self._expire, attempt)

    def cut_short(self, attempt: Attempt) -> None:
        """It is to end now: it has a moment to clean up, whatever time it had."""
        if attempt.line is not None:
            attempt.line.pop(attempt, None)
            attempt.line = None
        if not attempt.late:  # else it has its moment already
            if attempt.timer is not None:
                attempt.timer.cancel()
            attempt.timer = self._loop.call_later(CANCEL_GRACE, self._ignored, attempt)
        if attempt.handle is not None:
            attempt.handle.cancel()

    def _ignored(self, attempt: Attempt) -> None:
        if not attempt.settled:
            self._overdue(attempt)
            if attempt.handle is not None:
                attempt.handle.cancel()  # as below

    def _next(self, limit: float) -> None:
        """See to those of a line whose time is over, and set its timer for the next."""
        line = self._lines[limit]
        for attempt in list(line):
            left = attempt.begun + limit - monotonic()
            if left > EARLY:
                self._loop.call_later(left, self._next, limit)
                return
            del line[attempt]
            self._expire(attempt)
        del self._lines[limit]

    def _expire(self, attempt: Attempt) -> None:
        """Its time is over: a coroutine is cancelled and gets a moment to clean up; a thread cannot be interrupted."""
        if attempt.settled:
            return
        left = attempt.limit - (monotonic() - attempt.begun if attempt.begun else 0.0)
        if left > EARLY:  # its thread began later than its timer
            attempt.timer = self._loop.call_later(left, self._expire, attempt)
        elif attempt.handle is None:
            self._overdue(attempt)
        elif attempt.late:
            self._overdue(attempt)
            attempt.handle.cancel()  # it swallowed the first one; a second may meet it elsewhere
        else:
            attempt.late = True
            attempt.timer = self._loop.call_later(CANCEL_GRACE, self._expire, attempt)
            attempt.handle.cancel()
