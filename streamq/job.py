"""A job as its producer holds it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from streamq.durations import Duration
from streamq.model.job_record import JobRecord

R = TypeVar("R")


@dataclass(slots=True, unsafe_hash=True)  # not frozen: that would double the time of making a million of them
class Job(Generic[R]):
    """A handle on an enqueued job. ``id`` is the place where it was born. Not to be changed."""

    id: str
    queue: str
    task: str
    _result: Callable[[Job[R], Duration | None], Awaitable[R]] = field(repr=False, compare=False)
    _status: Callable[[str, str], Awaitable[JobRecord]] = field(repr=False, compare=False)

    async def result(self, timeout: Duration | None = None) -> R:
        """Wait for the job to end and return what its handler returned.

        ``timeout`` is a duration (seconds, a ``timedelta``, or text such as ``"5m"``); ``None`` waits for as long as it
        takes. Raises ``JobFailed`` when it failed, ``ResultTimeout`` when the time is over, ``UsageError`` for a
        ``timeout`` that is no duration, and ``JobNotFound`` when its record is gone already (results are kept as long
        as finished jobs are).
        """
        return await self._result(self, timeout)

    async def status(self) -> JobRecord:
        """Everything known of the job now. Raises ``JobNotFound``."""
        return await self._status(self.queue, self.id)
