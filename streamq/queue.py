"""A queue as people look at it and steer it."""

from __future__ import annotations

from streamq.client.client import Client
from streamq.errors import UsageError
from streamq.model.job_record import Counts, JobRecord, Page
from streamq.model.states import State

PAGE_LIMIT = 200
"""Jobs on a page at most."""


class Queue:
    """Made by ``app.queue(name)``. Every method raises ``Unavailable`` when the server cannot be reached."""

    def __init__(self, name: str, client: Client) -> None:
        client.store.keys(name)  # a name that is none is refused
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
        """A failed job waits again, with all its attempts; its history stays. Returns it as it waits.

        Of many who ask at once one moves it. Raises ``JobNotFound``, and ``WrongState`` for a job that is not failed,
        or not any more, with the state it has.
        """
        return await self._client.store.jobs.requeue(self.name, job_id)
