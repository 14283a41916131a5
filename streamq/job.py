"""The handle on a job that its producer gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.model.job_record import JobRecord
from streamq.terms import patience
from streamq.unique import Disposition

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
    disposition: Disposition = field(default="created", compare=False)
    """How enqueue came to it: ``created``, or with a unique key ``existing``, ``replaced`` or ``following``."""

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


def job_of(
    answer: str, queue: str, task: str, client: Client, parse: Callable[[Any, str], R] | None
) -> Job[R]:
    """The handle that an answer of the server tells: its id, with a colon and its disposition unless it is new."""
    job_id, _, disposition = answer.partition(":")
    if not disposition:
        return Job(job_id, queue, task, client, parse)
    return Job(job_id, queue, task, client, parse, cast("Disposition", disposition))


def jobs_of(
    answers: Sequence[str], queue: str, task: str, client: Client, parse: Callable[[Any, str], R] | None
) -> list[Job[R]]:
    """The same for many."""
    return [job_of(answer, queue, task, client, parse) for answer in answers]
