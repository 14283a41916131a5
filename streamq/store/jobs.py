"""Jobs: one by its id, pages of those in a state, and the records of those that a caller waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from streamq.errors import JobNotFound, KeyInUse, StreamqError, VersionConflict, WrongState
from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.cursors import is_entry
from streamq.model.job_reader import READ, from_entry, from_record
from streamq.model.job_record import JobRecord, Page
from streamq.model.places import WITHIN, place_of, shown_id
from streamq.model.reports import progress
from streamq.model.states import STARTS, State, allowed_in
from streamq.redis import scripts
from streamq.store.access import Access
from streamq.store.pages import READ_AT_ONCE, Pages
from streamq.store.producers import parked_sequence

LOOKED_AT_ONCE: Final = 200
"""Jobs that one script call looks up for callers that wait: about a millisecond of the server's time."""
LOOK_BYTES: Final = 1_000_000
"""Bytes of records and payloads that it reads, one job at least: some milliseconds of the server's time."""


NEAR: Final = 1_000
"""Ids at either end of the list of completed jobs among which a deleted one is looked for: some hundredths of a
millisecond of the server's time."""


class Change(NamedTuple):
    """What is to change in a job; what is empty stays."""

    due: str = ""
    """A due time (``model.due``), or ``now`` for a delayed job that is to wait at once."""
    priority: str = ""
    payload: bytes = b""
    headers: bytes = b""
    """What the headers are to say of the payload: all of it, as an object."""
    version: int | None = None
    """The version it must have; ``None`` for whatever it has."""

    @property
    def actions(self) -> tuple[str, ...]:
        """What people call it: see ``model.states.STARTS``."""
        timed = () if not self.due else ("promote",) if self.due == "now" else ("reschedule",)
        return (*timed, *(("priority",) if self.priority else ()), *(("edit",) if self.payload else ()))


class Jobs:
    """Commands: what people do to one job. Queries: jobs, their endings, and which are to end."""

    def __init__(self, access: Access, known: Callable[[JobRecord], JobRecord]) -> None:
        self._access, self._known = access, known
        self._pages = Pages(access)

    # -- commands -------------------------------------------------------------------------------------------

    async def requeue(self, queue: str, job_id: str) -> JobRecord:
        """A job that failed, was cancelled or has expired waits again. Returns it as it waits now.

        Raises ``JobNotFound``, ``WrongState`` with the state it has, and ``KeyInUse``. Of many concurrent calls one
        moves it.
        """
        said = await self._act(scripts.REQUEUE, queue, job_id, ("retry",))
        self._check_key(queue, job_id, said)
        _, task, payload, headers = said
        return self._known(from_entry(queue, job_id, 0, b"", 0, task, payload, headers))

    async def clone(self, queue: str, job_id: str, payload: bytes, headers: bytes) -> JobRecord:
        """A job that has ended is made once more, with another payload. Returns the new one. Raises as ``requeue``."""
        arguments = (parked_sequence(), payload, headers)
        said = await self._act(scripts.CLONE, queue, job_id, ("retry",), *arguments)
        self._check_key(queue, job_id, said)
        _, new, task, payload, packed = said
        return self._known(from_entry(queue, new.decode(), 0, b"", 0, task, payload, packed))

    def _check_key(self, queue: str, job_id: str, said: Sequence[Any]) -> None:
        if said[0] == b"key":
            key, other, state = (text.decode() for text in said[1:])
            shown, other = shown_id(queue, job_id), shown_id(queue, other)
            raise KeyInUse(shown, "retry", state, allowed_in(state), key.rpartition(WITHIN)[2], other)

    async def cancel(self, queue: str, job_id: str, reason: str, by: str) -> JobRecord:
        """A job that has not begun ends as cancelled; an active one when its worker knows. Returns it as it is now.

        Raises ``JobNotFound``, and ``WrongState`` when it has ended otherwise.
        """
        told = {"type": "Cancelled", "message": reason, **({"by": by} if by else {})}
        keep = self._access.part_of(queue, self._access.settings.keep_failed)
        return self._read(
            queue,
            job_id,
            await self._act(scripts.CANCEL, queue, job_id, ("cancel",), codec.dumps(told), keep),
        )

    async def change(self, queue: str, job_id: str, change: Change) -> JobRecord:
        """Change a job that is to run. Returns it as it is now.

        Raises ``JobNotFound``, ``WrongState``, and ``VersionConflict`` when it was changed since it had that version.
        """
        arguments = ("" if change.version is None else change.version, *change[:4])
        said = await self._act(scripts.CHANGE, queue, job_id, change.actions, *arguments)
        if said[0] == b"version":
            raise VersionConflict(shown_id(queue, job_id), change.version or 0, said[1])
        return self._read(queue, job_id, said)

    async def remove(self, queue: str, job_id: str) -> None:
        """Delete the record of a finished job. Raises ``JobNotFound``, and ``WrongState`` when it has not ended."""
        await self._act(scripts.REMOVE, queue, job_id, ("delete",), NEAR)

    async def _act(
        self, script: scripts.Script, queue: str, job_id: str, actions: Sequence[str], *arguments: Any
    ) -> list[Any]:
        """What a script says of the job; whatever refuses it is raised as the first action that its state forbids."""
        async with self._access.pool.links() as links:
            said: list[Any] = await script.run(links.of(queue), self._access.keys(queue), job_id, *arguments)
        if not said:
            raise JobNotFound(queue, job_id)
        if said[0] == b"is":
            state = said[1].decode()
            forbidden = [action for action in actions if state not in STARTS[action]]
            raise WrongState(shown_id(queue, job_id), (forbidden or actions)[0], state, allowed_in(state))
        return said

    def _read(self, queue: str, job_id: str, said: Sequence[Any]) -> JobRecord:
        return self._known(READ[said[0]](queue, job_id, *said[1:]))

    # -- queries --------------------------------------------------------------------------------------------

    async def job(self, queue: str, job_id: str) -> JobRecord:
        """Everything known of a job. Raises ``JobNotFound``."""
        for job in await self._jobs(queue, (job_id,)):
            return job
        raise JobNotFound(queue, job_id)

    async def everywhere(self, queues: Sequence[str], job_id: str) -> list[JobRecord]:
        """The jobs of that id in these queues, in one round trip to each server. Raises the first error of any."""
        asked = list(queues) if is_entry(job_id) else []
        async with self._access.pool.links() as links:
            calls = [(self._access.keys(queue), (job_id,)) for queue in asked]
            replies = await scripts.LOCATE.run_over(links, asked, calls) if asked else []
        if error := next((reply for reply in replies if isinstance(reply, StreamqError)), None):
            raise error
        return [self._read(queue, job_id, said) for queue, said in zip(asked, replies, strict=True) if said]

    async def waiting_since(self, queue: str) -> datetime | None:
        """When the first of the jobs that wait began to; ``None`` where none waits."""
        since = await self._pages.waiting_since(queue)
        return None if since is None else from_ms(since)

    async def found(self, queue: str, ids: Sequence[str]) -> dict[str, JobRecord]:
        """By id, everything known of those of the jobs that are somewhere."""
        return {place_of("", job.id)[1]: job for job in await self._jobs(queue, ids)}

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

    async def cancels(self, queue: str, ids: Sequence[str]) -> dict[str, bytes]:
        """Those of the jobs that are to end, and what their records are to say of it."""
        found = (
            await self._access.pool.call(queue, "HMGET", self._access.keys(queue).cancels, *ids)
            if ids
            else ()
        )
        return {job_id: told for job_id, told in zip(ids, found, strict=True) if told}

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
                if not part:
                    continue
                asked = ("HMGET", keys.progress, *part)
                *replies, told = await link.batch(*[scripts.LOCATE.command(*call) for call in calls], asked)
                said = [None] * len(part) if isinstance(told, Exception) else told  # which hides no job
                for job_id, reply, call, raw in zip(part, replies, calls, said, strict=True):
                    found = await scripts.LOCATE.answer(link, reply, *call)
                    if found:
                        job = self._read(queue, job_id, found)
                        jobs.append(replace(job, progress=progress(raw)) if raw else job)
        return jobs
