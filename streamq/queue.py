"""A queue as people look at it and steer it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.model.job_record import Counts, JobRecord, Page
from streamq.model.states import State
from streamq.options import Priority, terms, wrong_text
from streamq.store.jobs import Change

PAGE_LIMIT = 200
"""Jobs on a page at most: they are read in four round trips."""
UNCHANGED: Final[Any] = object()
"""The payload of a change that leaves it: ``None`` is a payload like any other."""
SOON: Final = "0"
"""A due time that is now (``model.due``)."""


class Queue:
    """Made by ``app.queue(name)``. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(self, name: str, client: Client) -> None:
        client.store.keys(name)  # raises for an invalid name
        self.name, self._client = name, client

    def __repr__(self) -> str:
        return f"<Queue {self.name!r}>"

    async def counts(self) -> Counts:
        """How many jobs are in each state."""
        return await self._client.store.queues.counts(self.name)

    async def get(self, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``."""
        return await self._client.store.jobs.job(self.name, job_id)

    async def jobs(self, state: State, *, limit: int = 50, cursor: str | None = None) -> Page:
        """A page of the jobs in ``state``: oldest first while they live, latest first when they are finished.

        ``limit`` is 1 to 200; ``cursor`` is the ``next`` of the page before. Raises ``UsageError``.
        """
        if not 1 <= limit <= PAGE_LIMIT:
            raise UsageError(f"limit={limit} is not a page size: use 1 to {PAGE_LIMIT}")
        return await self._client.store.jobs.jobs(self.name, State(state), limit, cursor)

    async def retry(self, job_id: str) -> JobRecord:
        """A job that failed, was cancelled or has expired waits again, with all its attempts; its history stays. Returns
        it as it waits.

        Of many concurrent calls one moves it. Raises ``JobNotFound``, ``WrongState`` for a job that has not ended so, or
        not any more, with the state it has, and ``KeyInUse`` when another job has its unique key by now.
        """
        return await self._client.store.jobs.requeue(self.name, job_id)

    async def cancel(self, job_id: str, reason: str = "", *, by: str = "") -> JobRecord:
        """End a job that has not begun, and ask for the end of one that runs. Returns it as it is now.

        A job that runs stays ``active`` until its handler has ended: that is cancelled, or sees ``ctx.cancelled``, and
        whatever it comes to then, the job ends as ``cancelled``; after two seconds it does so while the handler goes on.
        ``reason`` (up to 1,000 characters) and ``by`` (up to 200), who asks, are kept in its record.
        A job that is cancelled already is returned as it is. Raises ``JobNotFound``, and ``WrongState`` for a job that has
        ended otherwise.
        """
        for name, text, longest in (("reason", reason, 1_000), ("by", by, 200)):
            if problem := wrong_text(name, text, longest):
                raise UsageError(problem)
        return await self._client.store.jobs.cancel(self.name, job_id, reason, by)

    async def promote(self, job_id: str, *, version: int | None = None) -> JobRecord:
        """Let a delayed job wait now, whenever it was due. Returns it as it waits. Raises as ``change``."""
        return await self._change(job_id, Change("now", version=version))

    async def reschedule(
        self, job_id: str, *, delay: Duration | None = None, at: datetime | None = None,
        version: int | None = None,
    ) -> JobRecord:  # fmt: skip
        """Give a waiting or delayed job another due time: ``delay`` from now, or ``at``. Raises as ``change``."""
        if delay is None and at is None:
            raise UsageError("say when: reschedule(delay=…) or reschedule(at=…)")
        return await self.change(job_id, delay=delay, at=at, version=version)

    async def change_priority(
        self, job_id: str, priority: Priority, *, version: int | None = None
    ) -> JobRecord:
        """Give a job that has not begun another priority. Raises as ``change``."""
        return await self.change(job_id, priority=priority, version=version)

    async def edit(self, job_id: str, payload: Any, *, version: int | None = None) -> JobRecord:
        """Give a job that has not begun another payload. Raises as ``change``."""
        return await self.change(job_id, payload=payload, version=version)

    async def change(
        self, job_id: str, *, payload: Any = UNCHANGED, priority: Priority | None = None,
        delay: Duration | None = None, at: datetime | None = None, version: int | None = None,
    ) -> JobRecord:  # fmt: skip
        """Change several things of a job at once, all of them or none. Returns it as it is now.

        A waiting one goes to the end of its lane; one with a due time becomes delayed. With ``version``, as its
        ``JobRecord`` told it, nothing happens when it was changed since. Its unique key stays what it is.
        Raises ``InvalidPayload`` where its task is known here, ``UsageError``, ``JobNotFound``, ``WrongState`` for a job
        that runs or has ended, and ``VersionConflict``.
        """
        given = {"delay": delay, "at": at, "priority": priority}
        due = terms(job_id, {name: value for name, value in given.items() if value is not None}).due
        if delay is not None or at is not None:
            due = due or SOON
        encoded = b""
        if payload is not UNCHANGED:
            encoded = self._client.encode((await self.get(job_id)).task, payload)
        return await self._change(job_id, Change(due, priority or "", encoded, version))

    async def _change(self, job_id: str, change: Change) -> JobRecord:
        if change.version is not None and (type(change.version) is not int or change.version < 0):
            raise UsageError(f"version={change.version!r} is not a version: use that of the job's record")
        if not change.actions:
            raise UsageError("say what to change: payload, priority, delay or at")
        return await self._client.store.jobs.change(self.name, job_id, change)

    async def delete(self, job_id: str) -> None:
        """Delete the record of a finished job. Raises ``JobNotFound``, and ``WrongState`` for one that has not ended."""
        await self._client.store.jobs.remove(self.name, job_id)
