"""Jobs: one by its id, pages of those in a state, and the records of those that a caller waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.errors import JobNotFound, WrongState
from streamq.model.cursors import is_entry
from streamq.model.job_reader import READ, from_entry, from_record
from streamq.model.job_record import JobRecord, Page
from streamq.model.states import State
from streamq.redis import scripts
from streamq.store.access import Access
from streamq.store.pages import READ_AT_ONCE, Pages

LOOKED_AT_ONCE: Final = 200
"""Jobs that one script call looks up for callers that wait: about a millisecond of the server's time."""
LOOK_BYTES: Final = 1_000_000
"""Bytes of records and payloads that it reads, one job at least: some milliseconds of the server's time."""


class Jobs:
    """Commands: a failed job is requeued. Queries: jobs, and their endings."""

    def __init__(self, access: Access, known: Callable[[JobRecord], JobRecord]) -> None:
        self._access, self._known = access, known
        self._pages = Pages(access)

    # -- commands -------------------------------------------------------------------------------------------

    async def requeue(self, queue: str, job_id: str) -> JobRecord:
        """A failed job waits again. Returns it as it waits now.

        Raises ``JobNotFound``, and ``WrongState`` with the state it has. Of many concurrent calls one moves it.
        """
        async with self._access.pool.links() as links:
            said = await scripts.REQUEUE.run(links.of(queue), self._access.keys(queue), job_id)
        if not said:
            raise JobNotFound(queue, job_id)
        if said[0] == b"is":
            raise WrongState(job_id, "retry", said[1].decode())
        _, task, payload, headers = said
        return self._known(from_entry(queue, job_id, 0, b"", 0, task, payload, headers))

    # -- queries --------------------------------------------------------------------------------------------

    async def job(self, queue: str, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``."""
        for job in await self._jobs(queue, (job_id,)):
            return job
        raise JobNotFound(queue, job_id)

    async def endings(self, queue: str, ids: Sequence[str]) -> dict[str, bytes | bool]:
        """By id the job's record, ``True`` while it has not ended, and ``False`` when there is no such job."""
        keys = self._access.keys(queue)
        found: dict[str, bytes | bool] = {}
        rest = [job_id for job_id in ids if is_entry(job_id)]
        async with self._access.pool.links() as links:
            while rest:
                replies = await scripts.LOOK.run(links.of(queue), keys, LOOK_BYTES, *rest[:LOOKED_AT_ONCE])
                found |= zip(rest, (r if isinstance(r, bytes) else r == 1 for r in replies), strict=False)
                rest = rest[len(replies) :]
        return {job_id: found.get(job_id, False) for job_id in ids}

    def finished(self, queue: str, job_id: str, record: bytes) -> JobRecord:
        """A finished job from its record, with its whole result: for the program that waits for it, and for no view."""
        return from_record(queue, job_id, record, whole=True)

    async def jobs(self, queue: str, state: State, limit: int, cursor: str | None) -> Page:
        """A page of a state's jobs: oldest first while they live, latest first when they are finished.

        Raises ``UsageError`` for a cursor that is not one of ours.
        """
        if state is State.WAITING:
            page = await self._pages.waiting(queue, limit, cursor)
            return Page([self._known(job) for job in page.items], page.next)
        ids, following = await self._pages.ids(queue, state, limit, cursor)
        # a job in another state by now has moved between the two queries
        return Page([job for job in await self._jobs(queue, ids) if job.state is state], following)

    async def _jobs(self, queue: str, ids: Sequence[str]) -> list[JobRecord]:
        """Those of the jobs that are somewhere, some at a time."""
        keys, jobs = self._access.keys(queue), []
        async with self._access.pool.links() as links:
            link = links.of(queue)
            for start in range(0, len(ids), READ_AT_ONCE):
                part = [job_id for job_id in ids[start : start + READ_AT_ONCE] if is_entry(job_id)]
                calls = [(keys, (job_id,)) for job_id in part]
                replies = await link.batch(*[scripts.LOCATE.command(*call) for call in calls])
                for job_id, reply, call in zip(part, replies, calls, strict=True):
                    found = await scripts.LOCATE.answer(link, reply, *call)
                    if found:
                        jobs.append(self._known(READ[found[0]](queue, job_id, *found[1:])))
        return jobs
