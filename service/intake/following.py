"""Following jobs: what has become of them is written into their rows.

The end of a job is told as it comes, for as many jobs as are watched at a time. Whatever is not told, or told to a
process that is no more, is found by looking: each row says when its job is looked at next, and whoever is there looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from streamq import App, JobError, JobNotFound, JobRecord, ResultNotKept, State, StreamqError

from ..clock import now
from .claims import LONGEST, Claims, End, Taken
from .table import Outcome

WATCHED: Final = 1_000
"""Jobs of a table that a process watches at once: a few megabytes. Those beyond are found by looking."""
AT_ONCE: Final = 100
"""Jobs that are looked at together, so that nobody else waits long for a connection."""
GATHER: Final = 0.03
"""Seconds in which ends are gathered, so that many are one statement."""
LATEST: Final = 300.0
"""Seconds after which a job is looked at again at the latest, when it is old,"""
AHEAD: Final = 600.0
"""and when it is due later."""
GONE: Final = "the record of its job is gone, so nobody knows how it ended: see whether it was sent"


class Following:
    """The jobs of the rows of one table. Methods raise ``Unavailable`` and ``TableMissing``."""

    def __init__(self, app: App, claims: Claims) -> None:
        self._app, self._claims = app, claims
        self._watched: dict[asyncio.Task[None], Taken] = {}
        self._done: dict[Taken, bool] = {}
        self._any = asyncio.Event()

    def watch(self, taken: Iterable[Taken]) -> None:
        """Be told of the ends of these jobs, as far as there is room."""
        for row in taken:
            if len(self._watched) >= WATCHED:
                return
            task = asyncio.create_task(self._wait(row), name=f"intake {row.table} {row.id}")
            self._watched[task] = row
            task.add_done_callback(self._watched.pop)

    async def _wait(self, row: Taken) -> None:
        if row.handle is None:
            return
        try:
            await row.handle.result()
            completed = True
        except ResultNotKept:
            completed = True
        except JobError:
            completed = False
        except StreamqError:
            return  # the server is away, or the app is closed: it is looked at later
        self._done[row] = completed
        self._any.set()

    async def settle(self) -> None:
        """Wait for ends, and write them down."""
        await self._any.wait()
        await asyncio.sleep(GATHER)
        await self._flush()

    async def _flush(self) -> None:
        """Write down the ends that were told. What could not be written stays for the next time."""
        self._any.clear()
        done, self._done = self._done, {}
        try:
            await self._claims.ended(await self._ends(dict.fromkeys(done, 0.0), done))
            done = {}
        finally:
            if done:
                self._done = {**done, **self._done}
                self._any.set()

    async def look(self) -> int:
        """Look at jobs whose time it is, at most a batch; how many these were."""
        found = await self._claims.to_look_at()
        await self._claims.ended(await self._ends(dict(found), {}))
        return len(found)

    async def finish(self) -> None:
        """Write down what has ended by now: those who would tell it have ended too."""
        watched = dict.fromkeys((*self._watched.values(), *self._done), 0.0)
        ends = await self._ends(watched, self._done)
        await self._claims.ended([end for end in ends if end.is_final])

    async def close(self) -> None:
        """Watch no more."""
        tasks = [*self._watched]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ends(self, rows: Mapping[Taken, float], completed: Mapping[Taken, bool]) -> list[End]:
        """What has become of rows, by their age; some are known to be completed."""
        ends: list[End] = []
        listed = [*rows]
        for at in range(0, len(listed), AT_ONCE):
            some = listed[at : at + AT_ONCE]
            ends += await asyncio.gather(
                *(self._end(row, rows[row], completed.get(row, False)) for row in some)
            )
        return ends

    async def _end(self, row: Taken, age: float, completed: bool) -> End:
        try:
            record = await self._app.queue(row.queue).get(row.job)
        except JobNotFound:
            return await self._end_without_record(row, completed)
        return _told(row, record, age, self._claims.poll)

    async def _end_without_record(self, row: Taken, completed: bool) -> End:
        """Only so many records are kept, which in a flood is seconds: others may know how the job ended."""
        if completed:
            return End(row.id, row.claim, "complete", 1)
        known = await self._claims.table.known(self._app, f"{row.queue}:{row.job}") or Outcome("failed", GONE)
        return End(row.id, row.claim, known.status, 1 if known.status == "complete" else 0, known.error)


def _told(row: Taken, record: JobRecord, age: float, poll: float) -> End:
    """What a row says of its job, and when to look again: after half of its age, and not sooner than a poll."""
    said = f"{record.error.type}: {record.error.message}"[:LONGEST] if record.error else None
    wait = max(poll, min(age / 2, LATEST))
    match record.state:
        case State.COMPLETED:
            return End(row.id, row.claim, "complete", record.attempt)
        case State.FAILED | State.CANCELLED | State.EXPIRED:
            return End(
                row.id, row.claim, "failed", record.attempt, said or f"its job was {record.state.value}"
            )
        case State.DELAYED if record.due_at is not None:
            wait = max(poll, min((record.due_at - now()).total_seconds(), AHEAD))
    return End(row.id, row.claim, "error" if said else "processing", record.attempt, said, wait)
