"""A preview: the planned times to come, each with a note where something is special about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from streamq.model.calendars import Closed
from streamq.model.clock import from_ms
from streamq.model.cron import Occurrence, Wall
from streamq.model.schedule import Plan, Schedule
from streamq.times import rfc3339


@dataclass(frozen=True, slots=True)
class PlannedTime:
    """A planned time of a schedule."""

    at: datetime
    """In the schedule's zone."""
    note: str = ""
    """What is special about it: clocks that are set, or what of the calendar was passed over before it."""

    def asdict(self) -> dict[str, Any]:
        """The planned time as JSON has it: the moment in UTC, the time in its zone, and the note."""
        local = self.at.isoformat(timespec="milliseconds" if self.at.microsecond else "seconds")
        return {"at": rfc3339(self.at.astimezone(UTC)), "local": local, "note": self.note or None}


def preview(schedule: Schedule, after: int, count: int) -> list[PlannedTime]:
    """The first ``count`` planned times after a moment, in milliseconds since the epoch."""
    plan = Plan(schedule)
    found: list[PlannedTime] = []
    before = from_ms(after).astimezone(plan.zone)
    for occurrence, passed in islice(plan.walk(after), count):
        at = from_ms(occurrence.at).astimezone(plan.zone)
        notes = [*(_of_wall(occurrence, at) or _of_offset(before, at)), *_of_calendar(passed, plan.zone)]
        found.append(PlannedTime(at, "; ".join(notes)))
        before = at
    return found


def _of_wall(occurrence: Occurrence, at: datetime) -> list[str]:
    if occurrence.wall is None or not occurrence.kind:
        return []
    wall = f"{occurrence.wall:%H:%M:%S}".removesuffix(":00")
    if occurrence.kind is Wall.MISSING:
        return [
            f"{wall} does not exist on this day, as clocks are set forward over it: it runs at {at:%H:%M}"
        ]
    return [f"{wall} comes twice, as clocks are set back: this is the {occurrence.kind}"]


def _of_offset(before: datetime, at: datetime) -> list[str]:
    if before.utcoffset() == at.utcoffset():
        return []
    return [f"clocks are set before it, from {_offset(before)} to {_offset(at)}"]


def _offset(at: datetime) -> str:
    """As in ``UTC+02:00``."""
    return f"UTC{at.isoformat()[len(at.replace(tzinfo=None).isoformat()) :]}"


def _of_calendar(passed: Closed | None, zone: ZoneInfo) -> Iterator[str]:
    if passed is not None:
        until = from_ms(passed.until).astimezone(zone)
        yield f"planned times before it are left out until {until:%Y-%m-%d %H:%M}: {passed.why}"
