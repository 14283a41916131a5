"""A queue as people look at it and steer it."""

from __future__ import annotations

from streamq.client.client import Client
from streamq.errors import UsageError
from streamq.model.cursors import invalid
from streamq.model.job_record import Counts, JobRecord, Page
from streamq.model.shown import as_given
from streamq.model.states import State

PAGE_LIMIT = 200
"""Jobs on a page at most: they are read in four round trips."""


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
        """Everything known of a job. Raises ``JobNotFound``, and ``UsageError`` for an id that is no text."""
        return await self._client.store.jobs.job(self.name, _text(job_id))

    async def jobs(self, state: State, *, limit: int = 50, cursor: str | None = None) -> Page:
        """A page of the jobs in ``state``: oldest first while they live, latest first when they are finished.

        ``limit`` is 1 to 200; ``cursor`` is the ``next`` of the page before. Raises ``UsageError``.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
            raise UsageError(f"limit={as_given(limit)} is not a page size: use 1 to {PAGE_LIMIT}")
        if not isinstance(cursor, str | None):
            raise invalid(cursor)
        return await self._client.store.jobs.jobs(self.name, _state(state), limit, cursor)

    async def retry(self, job_id: str) -> JobRecord:
        """A failed job waits again, with all its attempts; its history stays. Returns it as it waits.

        Of many concurrent calls one moves it. Raises ``JobNotFound``, and ``WrongState`` for a job that is not failed,
        or not any more, with the state it has.
        """
        return await self._client.store.jobs.requeue(self.name, _text(job_id))


def _text(job_id: str) -> str:
    if not isinstance(job_id, str):
        raise UsageError(f"{as_given(job_id)} is not the id of a job: give it as text, as job.id has it")
    return job_id


def _state(state: State) -> State:
    try:
        return State(state)
    except ValueError:
        raise UsageError(f"{as_given(state)} is not a state: use one of {', '.join(State)}") from None
