"""The handle on a job that its producer gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.model.job_record import JobRecord
from streamq.options import patience

R = TypeVar("R")


@dataclass(slots=True, unsafe_hash=True)  # not frozen: that would double the time of making a million of them
class Job(Generic[R]):
    """A handle on an enqueued job. ``id`` is the place where it was born. Not to be changed."""

    id: str
    queue: str
    task: str
    _client: Client = field(repr=False, compare=False)
    _parse: Callable[[Any, str], R] | None = field(repr=False, compare=False)
    """Converts a result that was read as JSON to the handler's return type; ``None`` for an unknown task."""

    async def result(self, timeout: Duration | None = None) -> R:
        """Wait for the job to end and return what its handler returned.

        ``timeout`` is a duration (seconds, a ``timedelta``, or text such as ``"5m"``); ``None`` waits for as long as it
        takes. Raises ``JobFailed`` when it failed, ``ResultTimeout`` when the time is over, ``UsageError`` for a
        ``timeout`` that is no duration, and ``JobNotFound`` when its record is gone already (results are kept as long
        as finished jobs are).
        """
        record = await self._client.wait(self.queue, self.id, patience(timeout))
        result: R = record.result if self._parse is None else self._parse(record.result, self.id)
        return result

    async def status(self) -> JobRecord:
        """Everything known of the job now. Raises ``JobNotFound``."""
        return await self._client.store.jobs.job(self.queue, self.id)
