"""What a schedule is made of: its options, each in one row, and what may be said of them.

From the rows come the checks, the flags of ``streamq schedule put``, the fields of the body over HTTP and the
reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, TypedDict, get_args

from streamq.durations import LONGEST_WAIT, Duration, seconds_of
from streamq.errors import FieldError, UsageError
from streamq.model.calendars import Calendar
from streamq.model.cron import LONGEST
from streamq.model.keys import is_name
from streamq.model.schedule import Misfire, Overlap, Schedule, Source, problems
from streamq.model.shown import as_given
from streamq.noun_errors import InvalidSchedule
from streamq.options import Option

DAY: Final = 86_400.0
"""Seconds."""


class ScheduleOptions(TypedDict, total=False):
    """When a schedule runs: one of ``cron``, ``every`` and ``at``, and what holds for its runs."""

    cron: str | None
    every: Duration | None
    at: datetime | None
    zone: str | None
    start: datetime | None
    end: datetime | None
    jitter: Duration | None
    overlap: Overlap | None
    misfire: Misfire | None
    misfire_limit: int | None
    calendar: Calendar | None


SCHEDULING: Final[dict[str, Option]] = {
    option.name: option
    for option in (
        Option(
            "cron", "text", "Minute, hour, day of the month, month and day of the week, with the second before them "
            "where there are six fields.", low=1, high=LONGEST,
        ),
        Option("every", "duration", "The interval from one run to the next.", low=1, high=LONGEST_WAIT),
        Option("at", "time", "The one moment at which it runs."),
        Option("zone", "text", "The time zone of its clock; UTC where it is left out.", low=1, high=100),
        Option("start", "time", "No run before this; intervals are counted from it."),
        Option("end", "time", "No run after this."),
        Option("jitter", "duration", "By how much each run is put off at most, by chance.", high=DAY),
        Option(
            "overlap", "choice", "While the job of the run before has not ended: leave it out, queue it, or allow it.",
            choices=get_args(Overlap),
        ),
        Option(
            "misfire", "choice", "What becomes of runs that nobody was there for: none, once for all, or all of them.",
            choices=get_args(Misfire),
        ),
        Option(
            "misfire_limit", "whole number", "How many runs `all` makes up for at most, the latest.",
            low=1, high=1_000,
        ),
    )
}  # fmt: skip
"""The options of a schedule by name, but ``calendar``, which has parts of its own."""

ALL: Final = (*SCHEDULING, "calendar")
"""Their names."""


def made(
    name: str, queue: str, task: str, payload: bytes, given: Mapping[str, Any], source: Source = "api"
) -> Schedule:
    """A schedule of what was given. Raises ``InvalidSchedule``, and ``UsageError`` for what is no option."""
    _refuse_unknown(given)
    said = {option: value for option, value in given.items() if value is not None}
    errors = [
        FieldError(f"/{option}", "invalid", wrong)
        for option, value in said.items()
        if (wrong := _wrong(option, value))
    ]
    errors += [
        FieldError(
            f"/{field}", "name", f"{as_given(value)} is no name: use 1 to 64 letters, digits, '_', '.' or '-'"
        )
        for field, value in (("name", name), ("queue", queue))
        if not is_name(value)
    ]
    if errors:
        raise InvalidSchedule(str(name), errors)
    typed = {option: _typed(option, value) for option, value in said.items()}
    schedule = Schedule(name=name, queue=queue, task=task, payload=payload, source=source, **typed)
    if errors := problems(schedule):
        raise InvalidSchedule(name, errors)
    return schedule


def _wrong(option: str, value: Any) -> str:
    if option in SCHEDULING:
        return SCHEDULING[option].wrong(value)
    return (
        "" if isinstance(value, Calendar) else f"calendar={as_given(value)} is no Calendar: write Calendar(…)"
    )


def _typed(option: str, value: Any) -> Any:
    return seconds_of(value) if option in SCHEDULING and SCHEDULING[option].form == "duration" else value


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    for name in sorted(given.keys() - ALL):
        near = get_close_matches(name, ALL, 1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(ALL)}"
        raise UsageError(f"{name!r} is not an option of a schedule: {hint}")
