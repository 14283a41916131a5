"""Claims: rows that were taken, and the jobs that are made of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from streamq import (
    App,
    ConfigurationError,
    GroupFull,
    Job,
    NotOpen,
    OutcomeUnknown,
    RequestRunning,
    StreamqError,
    Unavailable,
    UsageError,
)

from .database import Database, Row
from .table import COLUMNS, COUNTS, UNKNOWN, Statements, Table, Unreadable

log = logging.getLogger("streamq.intake")

LONGEST: Final = 2_000
"""Characters of an error in a row."""


class Taken(NamedTuple):
    """A row that has its job; ``handle`` where it was made here."""

    table: str
    id: str
    claim: str
    queue: str
    job: str
    handle: Job[Any] | None = None


class Batch(NamedTuple):
    """What has become of rows that were taken."""

    rows: int
    """How many were taken."""
    jobs: list[Taken]
    trouble: StreamqError | None
    """Why some were given back."""


class End(NamedTuple):
    """What has become of a row."""

    id: str
    claim: str
    status: str
    attempts: int = 0
    error: str | None = None
    seconds: float = 0.0
    """Until its job is looked at again, where this is not the end."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.status in ("complete", "failed")


class Claims:
    """The rows of one table, at most ``batch`` of them at once; after ``poll`` seconds a job is looked at.

    Its methods raise ``DatabaseUnavailable``, ``TableMissing``, and ``Unavailable``.
    """

    def __init__(self, app: App, database: Database, table: Table, *, batch: int, poll: float) -> None:
        self.table, self.poll = table, poll
        self._app, self._database, self._batch = app, database, min(batch, table.most)
        self._statements: Statements | None = None

    async def _run(self, name: str, *values: Any) -> list[Row]:
        """Run a statement about the table; its columns are asked for once, and again after a trouble."""
        try:
            if self._statements is None:
                there = await self._database.fetch(COLUMNS, self.table.name)
                types = {each["name"]: each["type"] for each in there}
                ours = tuple(sorted(self.table.columns & types.keys()))
                largest = (
                    2 * self._app.settings.max_payload
                )  # JSON of a database has blanks that ours has not
                self._statements = Statements(self.table.name, types.get("id", "bigint"), ours, largest)
            return await self._database.fetch(getattr(self._statements, name), *values)
        except StreamqError:
            self._statements = None
            raise

    async def take(self) -> Batch:
        """Make jobs of pending rows, at most a batch."""
        return await self._jobs_of(await self._run("claim", self._batch))

    async def resume(self) -> Batch:
        """The same of rows that somebody took who has not written down a job."""
        return await self._jobs_of(await self._run("resume", self._batch))

    async def ended(self, ends: Sequence[End]) -> None:
        """Write down what has become of rows."""
        if ends:
            await self._run("changed", *_columns(ends, 6))

    async def to_look_at(self) -> list[tuple[Taken, float]]:
        """Rows whose jobs are to be looked at now, at most a batch, with the seconds since they were taken.

        Nobody else is given them for a while.
        """
        rows = await self._run("looked", self._batch)
        return [
            (Taken(self.table.name, row["id"], row["claim"], row["queue"], row["job"]), row["age"])
            for row in rows
        ]

    async def counts(self) -> list[Row]:
        """How many rows are in each status but complete, and the seconds since the oldest of them was written."""
        return await self._database.fetch(COUNTS.format(t=self.table.name))

    async def _jobs_of(self, rows: list[Row]) -> Batch:
        known = [row for row in rows if row["known"]]
        jobs = await asyncio.gather(*(self._job_of(row) for row in known), return_exceptions=True)
        taken, failed, given_back = _sorted(self.table.name, known, jobs)
        failed += [End(row["id"], row["claim"], "failed", 0, UNKNOWN) for row in rows if not row["known"]]
        if taken and self.table.follows:
            listed = [(each.id, each.claim, each.queue, each.job, self.poll) for each in taken]
            await self._run("enqueued", *_columns(listed, 5))
        elif taken:
            await self._run("delete", *_columns([(each.id, each.claim) for each in taken], 2))
        await self.ended(failed)
        troubles = [error for _, error in given_back if not isinstance(error, GroupFull)]
        if given_back:
            wait = 0.0 if troubles else self.poll  # one whose group is full makes way for others meanwhile
            back = [(row["id"], row["claim"], str(error)[:LONGEST], wait) for row, error in given_back]
            await self._run("release", *_columns(back, 4))
        return Batch(len(rows), taken, troubles[0] if troubles else None)

    async def _job_of(self, row: Row) -> Job[Any]:
        if row["fields"] is None:
            limit = self._app.settings.max_payload
            raise Unreadable(f"the row has {row['size']:,} bytes, and a payload at most {limit:,}")
        try:
            fields = from_json(row["fields"])
        except ValueError as error:  # a database whose encoding is SQL_ASCII holds any bytes
            raise Unreadable(f"the row cannot be read: {error}") from None
        return await self.table.send(self._app, fields, f"intake:{row['claim']}")


def _sorted(
    table: str, rows: Sequence[Row], jobs: Sequence[Job[Any] | BaseException]
) -> tuple[list[Taken], list[End], list[tuple[Row, StreamqError]]]:
    """Rows that have a job, rows that fail, and rows that are given back, with why. Others stay claimed."""
    taken: list[Taken] = []
    failed: list[End] = []
    given_back: list[tuple[Row, StreamqError]] = []
    for row, job in zip(rows, jobs, strict=True):
        match job:
            case Job():
                taken.append(Taken(table, row["id"], row["claim"], job.queue, job.id, job))
            case (
                OutcomeUnknown() | RequestRunning() | NotOpen()
            ):  # there may be a job: the same claim finds it later
                log.warning("intake: row %s of %s is taken up again: %s", row["id"], table, job)
            case Unavailable() | ConfigurationError():
                given_back.append((row, job))
            case Unreadable() | UsageError():
                failed.append(End(row["id"], row["claim"], "failed", 0, str(job)[:LONGEST]))
            case Exception():
                failed.append(
                    End(row["id"], row["claim"], "failed", 0, f"{type(job).__name__}: {job}"[:LONGEST])
                )
            case _:
                raise job
    return taken, failed, given_back


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """As ``unnest`` takes them."""
    return [[row[at] for row in rows] for at in range(width)]
