"""Overdue handlers: those that still run after their attempt was judged.

A thread cannot be interrupted, and a coroutine may swallow its cancellation. The attempt has failed at its time limit
all the same; the handler goes on and takes a slot. Its job must not start again meanwhile: a retry is delayed by
``horizon`` seconds, and postponed with every beat for as long as the handler runs. The beat has its own thread, so this
works while the event loop is blocked, and it ends with the process: then the retry starts when the horizon is over.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final, NamedTuple

from streamq.model.clock import host_now, monotonic
from streamq.model.worker_load import RunningJob
from streamq.store.delayed import DueTimes
from streamq.worker.attempt import Attempt

log = logging.getLogger("streamq.runner")

MANY: Final = 100
"""Overdue handlers that a worker names, the oldest first: all are sent each time. Its log counts all of them."""


class _Overdue(NamedTuple):
    shown: RunningJob
    retry_at: float | None


class OverdueHandlers:
    """Those of one worker. ``due_times`` and ``sent`` are called by the thread of its beat, the rest in the loop."""

    def __init__(self, horizon: float) -> None:
        self.horizon = horizon
        """Seconds by which a retry is postponed: several beats fit in."""
        self._handlers: dict[Attempt, _Overdue] = {}
        self._pushed: tuple[tuple[str, str], ...] = ()
        self._due_again: deque[tuple[str, str, float]] = deque()
        self._sending = 0
        self.listed: tuple[RunningJob, ...] = ()
        """Those in the worker's description."""
        self.version = 0
        """Grows with every change, so that the heartbeat sends it at once."""

    def __len__(self) -> int:
        return len(self._handlers)

    def add(self, attempt: Attempt, retry_at: float | None) -> None:
        """Its attempt was judged, its handler runs on; ``retry_at`` is its retry's time by the monotonic clock."""
        delivery = attempt.delivery
        shown = RunningJob(delivery.job_id, delivery.queue, delivery.task[:200], host_now())
        self._handlers[attempt] = _Overdue(shown, retry_at)
        log.warning(
            "%s %s, but its handler goes on and keeps its slot until it returns (%d such handlers here)", attempt,
            f"ran over its time limit of {attempt.limit:g} s: the attempt has failed" if attempt.told is None
            else "is cancelled", len(self._handlers),
        )  # fmt: skip
        self._changed()

    def returned(self, attempt: Attempt) -> None:
        """Its handler has returned; its retry is due as it would have been."""
        overdue = self._handlers.pop(attempt, None)
        if overdue is None:
            return
        self._draw_in(overdue)
        log.warning(
            "the handler of %s has returned after %.1f s; what it returned is dropped, its slot is free",
            attempt, attempt.seconds,
        )  # fmt: skip
        self._changed()

    def leave(self) -> None:
        """The worker ends and postpones no more: all retries are due as they would have been."""
        for overdue in self._handlers.values():
            self._draw_in(overdue)
        self._handlers.clear()
        self._changed()

    def _draw_in(self, overdue: _Overdue) -> None:
        if overdue.retry_at is not None:
            self._due_again.append((overdue.shown.queue, overdue.shown.job, overdue.retry_at))

    def _changed(self) -> None:
        handlers = self._handlers.values()
        self._pushed = tuple((o.shown.queue, o.shown.job) for o in handlers if o.retry_at is not None)
        self.listed = tuple(overdue.shown for overdue in handlers)[:MANY]
        self.version += 1

    def due_times(self) -> tuple[DueTimes, DueTimes]:
        """What a beat sends: retries to postpone, as their handlers run, and retries to bring forward."""
        out: dict[str, list[tuple[str, float]]] = {}
        for queue, job_id in self._pushed:
            out.setdefault(queue, []).append((job_id, self.horizon))
        back: dict[str, list[tuple[str, float]]] = {}
        returned = list(self._due_again)
        self._sending = len(returned)
        for queue, job_id, at in returned:
            back.setdefault(queue, []).append((job_id, max(0.0, at - monotonic())))
        return out, back

    def due_again(self, queue: str) -> list[tuple[str, float]]:
        """The retries of one queue to bring forward, for a worker that ends: its heartbeat has ended already."""
        return [(job, max(0.0, at - monotonic())) for of, job, at in self._due_again if of == queue]

    def sent(self) -> None:
        """The server has what ``due_times`` returned last: the retries brought forward in it are done."""
        for _ in range(self._sending):
            self._due_again.popleft()
        self._sending = 0
