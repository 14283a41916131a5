"""A schedule as an onlooker sees it: its definition, its next planned time, and what it has done.

``runs`` keeps of each ``<last planned> <when> <job> <runs> <skipped> <missed> <pause>``: times in milliseconds since
the epoch, ``-`` for no job, and the pause as JSON, empty for none. (``lua/parts/run.lua`` reads and writes it.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from streamq.model import codec
from streamq.model.clock import from_ms, to_ms
from streamq.model.masked import MASK, mask
from streamq.model.places import SEPARATOR, queue_of, shown_id
from streamq.model.schedule import Moving, Schedule
from streamq.times import rfc3339

_RUN: Final = re.compile(rb"(\d{1,16}) (\d{1,16}) (\S+) (\d{1,16}) (\d{1,16}) (\d{1,16}) (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SchedulePause:
    """Why a schedule does not run."""

    since: datetime | None
    reason: str = ""

    def asdict(self) -> dict[str, Any]:
        """The pause as JSON has it."""
        return {"since": rfc3339(self.since), "reason": self.reason or None}

    def written(self) -> bytes:
        """The pause as ``runs`` keeps it."""
        return written_pause(to_ms(self.since) if self.since else 0, self.reason)


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """Everything known of a schedule at one moment. Times are aware, in UTC, by the server's clock."""

    schedule: Schedule
    version: int
    """How often it was made or changed."""
    next_at: datetime | None = None
    """Its next planned time; ``None`` when it is paused, or has ended."""
    last_planned_at: datetime | None = None
    """The planned time of its last run, or of the last that was left out for the run before."""
    last_at: datetime | None = None
    """When that was looked at."""
    last_job: str | None = None
    """The id of the job of its last run."""
    runs: int = 0
    """How many jobs it has enqueued."""
    skipped: int = 0
    """How many runs were left out because the job of the run before was not at its end."""
    missed: int = 0
    """How many planned times had no run as nobody was there for them; at most 1,000 of an outage are counted."""
    paused: SchedulePause | None = None
    orphaned: bool = False
    """It was declared in code, and no worker of its queue declares it any more."""
    moving: Moving | None = None
    """The queue to which it goes, where that was begun and has not ended; its own, where it is the copy there."""

    @property
    def name(self) -> str:
        """Its name, unique in the app."""
        return self.schedule.name

    @property
    def state(self) -> str:
        """``active``, ``paused``, or ``ended`` when no planned time comes any more."""
        return "paused" if self.paused else "active" if self.next_at else "ended"

    def written_runs(self) -> bytes:
        """What ``runs`` keeps of it, but for the job of its last run."""
        times = (str(to_ms(at) if at else 0) for at in (self.last_planned_at, self.last_at))
        pause = self.paused.written().decode() if self.paused else ""
        return f"{' '.join(times)} - {self.runs} {self.skipped} {self.missed} {pause}".encode()

    def is_over(self, before: datetime) -> bool:
        """Whether it was made at run time, and no run of it was planned from ``before`` on, or comes any more."""
        times = (self.last_at, self.schedule.at, self.schedule.end)
        latest = max((at for at in times if at is not None), default=None)
        is_past = latest is not None and latest < before
        return is_past and self.state == "ended" and self.schedule.source == "api"

    def asdict(self) -> dict[str, Any]:
        """The schedule as JSON has it."""
        return {
            **self.schedule.asdict(), "payload": payload_of(self.schedule), "version": self.version,
            "state": self.state, "orphaned": self.orphaned,
            "paused": self.paused.asdict() if self.paused else None,
            "next_at": rfc3339(self.next_at), "last_planned_at": rfc3339(self.last_planned_at),
            "last_at": rfc3339(self.last_at), "last_job": self.last_job, "runs": self.runs,
            "skipped": self.skipped, "missed": self.missed,
        }  # fmt: skip


def payload_of(schedule: Schedule) -> Any:
    """The payload as a value, without what is masked of it.

    What another program wrote is told as text where it is no JSON.
    """
    if codec.too_deep(schedule.payload):
        return codec.TOO_DEEP
    try:
        return mask(codec.exact(schedule.payload), schedule.masked)
    except codec.JSONDecodeError:
        return MASK if schedule.masked else schedule.payload.decode("utf-8", "replace")


def record(name: str, queue: str, kept: bytes, next_ms: bytes | None, run: bytes | None) -> ScheduleRecord:
    """A schedule from what the server has of it. Raises ``ValueError`` for what is none."""
    version, _, definition = kept.partition(b" ")
    schedule = Schedule.decoded(name, queue, definition)
    moving = Schedule.moving(definition)
    said: dict[str, Any] = {"next_at": from_ms(float(next_ms)) if next_ms else None}
    if moving:
        said["moving"] = moving
    found = _RUN.fullmatch(run or b"")
    if found:
        planned, at, runs, skipped, missed = (int(found[group]) for group in (1, 2, 4, 5, 6))
        said |= {
            "last_planned_at": from_ms(planned) if planned else None, "last_at": from_ms(at) if at else None,
            "last_job": None if found[3] == b"-" else found[3].decode("utf-8", "replace"),
            "runs": runs, "skipped": skipped, "missed": missed, "paused": _pause(found[7]),
        }  # fmt: skip
    return ScheduleRecord(schedule, int(version), **said)


def _pause(raw: bytes) -> SchedulePause | None:
    if not raw:
        return None
    try:
        said = codec.loads(raw)
        return SchedulePause(from_ms(said["since"]), str(said.get("reason", "")))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return SchedulePause(None)


def written_pause(since: int, reason: str) -> bytes:
    """A pause as ``runs`` keeps it."""
    return codec.dumps({"since": since, "reason": reason})


def as_known(found: ScheduleRecord) -> ScheduleRecord:
    """It as people know it: in its queue, not in a partition of that."""
    partition = found.schedule.queue
    if SEPARATOR not in partition:
        return found
    last = found.last_job and shown_id(partition, found.last_job)
    return replace(found, schedule=replace(found.schedule, queue=queue_of(partition)), last_job=last)
