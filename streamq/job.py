"""The handle on a job that its producer gets."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.model.events import Event
from streamq.model.facts import Explanation
from streamq.model.job_record import JobRecord
from streamq.model.places import place_of
from streamq.model.reports import Log
from streamq.noun_errors import ResultNotKept
from streamq.options import Priority
from streamq.queue import UNCHANGED, Queue
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
        ``timeout`` that is no duration, ``JobNotFound`` when its record is gone already, and ``ResultNotKept`` when its
        result is, as ``keep_result`` says (by default results are kept as long as finished jobs are).
        """
        record = await self._client.wait(self.queue, self.id, patience(timeout))
        if not record.result_kept:
            raise ResultNotKept(self.queue, self.id)
        result: R = record.result if self._parse is None else self._parse(record.result, self.id)
        return result

    async def status(self) -> JobRecord:
        """Everything known of the job now. Raises ``JobNotFound``."""
        return await self._client.store.jobs.job(*place_of(self.queue, self.id))

    async def logs(self) -> Log:
        """What is kept of its log, oldest line first. Raises ``JobNotFound``."""
        return await self._of.logs(self.id)

    def watch(self) -> AsyncGenerator[Event]:
        """What it tells from now on, until its end: ``async for event in job.watch()``; see ``Queue.watch``."""
        return self._of.watch(self.id)

    async def why(self) -> Explanation:
        """Why it does not run now: see ``Queue.why``."""
        return await self._of.why(self.id)

    async def cancel(self, reason: str = "", *, by: str = "") -> JobRecord:
        """End it before it begins, or ask for its end while it runs: see ``Queue.cancel``.

        Who waits for its result gets ``JobCancelled``. Raises ``WrongState`` when it has ended otherwise.
        """
        return await self._of.cancel(self.id, reason, by=by)

    async def promote(self, *, version: int | None = None) -> JobRecord:
        """Let it wait now, whenever it was due: see ``Queue.promote``."""
        return await self._of.promote(self.id, version=version)

    async def reschedule(
        self, *, delay: Duration | None = None, at: datetime | None = None, version: int | None = None
    ) -> JobRecord:
        """Give it another due time: see ``Queue.reschedule``."""
        return await self._of.reschedule(self.id, delay=delay, at=at, version=version)

    async def change_priority(self, priority: Priority, *, version: int | None = None) -> JobRecord:
        """Give it another priority: see ``Queue.change_priority``."""
        return await self._of.change_priority(self.id, priority, version=version)

    async def edit(self, payload: Any, *, version: int | None = None) -> JobRecord:
        """Give it another payload: see ``Queue.edit``."""
        return await self._of.edit(self.id, payload, version=version)

    async def retry(self, *, payload: Any = UNCHANGED) -> JobRecord:
        """Let it wait again after it failed, was cancelled or has expired, or a copy of it with another ``payload``.

        See ``Queue.retry``.
        """
        return await self._of.retry(self.id, payload=payload)

    async def delete(self) -> None:
        """Delete its record once it has ended: see ``Queue.delete``."""
        await self._of.delete(self.id)

    @property
    def _of(self) -> Queue:
        return Queue(self.queue, self._client)


def job_of(
    answer: str, queue: str, task: str, client: Client, parse: Callable[[Any, str], R] | None
) -> Job[R]:
    """The handle that an answer of the server tells: its id, with a colon and its disposition unless it is new."""
    if ":" not in answer:
        return Job(answer, queue, task, client, parse)
    job_id, _, disposition = answer.partition(":")
    return Job(job_id, queue, task, client, parse, cast("Disposition", disposition))


def jobs_of(
    answers: Sequence[str], queue: str, task: str, client: Client, parse: Callable[[Any, str], R] | None
) -> list[Job[R]]:
    """The same for many."""
    if ":" not in "".join(answers):
        return [Job(job_id, queue, task, client, parse) for job_id in answers]
    return [job_of(answer, queue, task, client, parse) for answer in answers]
