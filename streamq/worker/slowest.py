"""The slowest jobs that a worker has run in these ten minutes: what it costs a job is to be compared with a number."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from streamq.model.slowest import MOST, SPAN, written
from streamq.worker.attempt import Attempt


class Ran(NamedTuple):
    """A job that has ended, ordered by how many ms it ran."""

    took: int
    number: int
    """Its place among those that were noted, so that no two are alike."""
    queue: str
    said: bytes


class Slowest:
    """Of one worker. Only a job that has run longer than ``floor``, in seconds, is to be noted."""

    def __init__(self) -> None:
        self.floor = -1.0
        self._span = -1
        self._found: list[Ran] = []
        self._noted = 0
        self._untold: list[Ran] = []

    def note(self, attempt: Attempt, state: str, took: float, now: int) -> None:
        """A job has ended ``now``, in ms since the epoch, after ``took`` seconds."""
        self.turn(now)
        self._noted += 1
        job = attempt.delivery
        ran = Ran(
            int(took * 1000),
            self._noted,
            job.queue,
            written(job.job_id, job.task, state, attempt.worker, now),
        )
        if len(self._found) < MOST:
            heapq.heappush(self._found, ran)
        else:
            heapq.heappushpop(self._found, ran)
            self.floor = (self._found[0].took + 1) / 1000
        self.tell_again([ran])

    def turn(self, now: int) -> None:
        """Begin anew where ten minutes are over."""
        if now // SPAN != self._span:
            self._span, self._found, self.floor = now // SPAN, [], -1.0

    def take(self) -> list[Ran]:
        """What was noted since the last call."""
        told, self._untold = self._untold, []
        return told

    def tell_again(self, ran: Sequence[Ran]) -> None:
        """They are not told yet. While nobody takes them, the slowest are kept."""
        self._untold += ran
        if len(self._untold) > 2 * MOST:
            self._untold = heapq.nlargest(MOST, self._untold)
