"""What a schedule is made of: its options, each in one row, and what may be said of them.

From the rows come the checks, the flags of ``streamq schedule put``, the fields of the body over HTTP and the
reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, get_args

from streamq.durations import LONGEST_WAIT, Duration, seconds_of
from streamq.errors import FieldError, InvalidPayload, UsageError
from streamq.model.calendars import Calendar
from streamq.model.cron import LONGEST
from streamq.model.headers import parse_headers
from streamq.model.names import NAME_FORM, is_name
from streamq.model.schedule import WHEN, Misfire, Overlap, Schedule, Source, problems
from streamq.model.shown import as_given
from streamq.noun_errors import InvalidSchedule
from streamq.options import OPTIONS, Option, Priority

if TYPE_CHECKING:
    from streamq.task import Task  # the table of options, which the help reads, need not pay for it

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
    priority: Priority | None
    group: str | None
    payload_version: int | None


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
        *(OPTIONS[name] for name in ("priority", "group", "payload_version")),
    )
}  # fmt: skip
"""The options of a schedule by name, but ``calendar``, which has parts of its own; the last are those of its jobs."""

ALL: Final = (*SCHEDULING, "calendar")
"""Their names."""


class Payload(NamedTuple):
    """An encoded payload, and what its task says of it in the headers of a job."""

    encoded: bytes
    headers: bytes = b""
    version: int | None = None
    """That of its task, where the task is known."""
    group: str = ""
    """What its task makes of it; empty for none."""


def payload_of(task: Task[Any, Any], encoded: bytes) -> Payload:
    """The payload of a schedule of a task, with the group that the task makes of it. Raises ``InvalidPayload``."""
    return Payload(encoded, task.own_headers, task.version, task.group_for(encoded))


def made(
    name: str, queue: str, task: str, payload: Callable[[], Payload], given: Mapping[str, Any],
    source: Source = "api",
) -> Schedule:  # fmt: skip
    """A schedule of what was given; ``payload`` makes that of its jobs.

    Raises ``InvalidSchedule`` with all that is wrong, what ``payload`` raises where nothing else is, and ``UsageError``
    for what is no option.
    """
    _refuse_unknown(given)
    said = {option: value for option, value in given.items() if value is not None}
    errors = [*_of_names(name, queue), *_of_options(said)]
    refused = {error.pointer.removeprefix("/") for error in errors}
    encoded, of_payload = _encoded(payload)
    headers = parse_headers(encoded.headers)
    own = {"payload_version": headers.get("payload_version", 1), "masked": tuple(headers.get("masked", ()))}
    own |= {"group": encoded.group} if encoded.group else {}
    typed = {option: _typed(option, value) for option, value in said.items() if option not in refused}
    if encoded.version is not None and typed.pop("payload_version", encoded.version) != encoded.version:
        errors.append(_other_version(encoded.version))
    schedule = Schedule(
        name=name, queue=queue, task=task, payload=encoded.encoded, source=source, **{**own, **typed}
    )
    errors += [
        each for each in problems(schedule) if not (each.code == "one-of" and refused.intersection(WHEN))
    ]
    if errors:
        told = of_payload.errors if of_payload else ()
        errors += [replace(each, pointer=f"/payload{each.pointer}") for each in told]
        raise InvalidSchedule(str(name), errors)
    if of_payload:
        raise of_payload
    return schedule


def _encoded(payload: Callable[[], Payload]) -> tuple[Payload, InvalidPayload | None]:
    try:
        return payload(), None
    except InvalidPayload as error:
        return Payload(b"null"), error


def _of_names(name: str, queue: str) -> Iterator[FieldError]:
    for field, value in (("name", name), ("queue", queue)):
        if not is_name(value):
            said = f"{as_given(value)} is no name: {NAME_FORM}"
            yield FieldError(f"/{field}", "name", said)


def _other_version(version: int) -> FieldError:
    said = f"the task is known here, and its payloads are of version {version}: leave it out"
    return FieldError("/payload_version", "version", said)


def _of_options(said: Mapping[str, Any]) -> Iterator[FieldError]:
    for option, value in said.items():
        if wrong := _wrong(option, value):
            yield FieldError(f"/{option}", "invalid", wrong)


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
