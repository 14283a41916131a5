"""A schedule: which job it enqueues, and when. How it is written, and its planned times.

``schedules`` keeps it as ``<number> <JSON> LF <payload>``: the number counts its changes, and the JSON, on one line,
says only what differs from the defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice, takewhile
from typing import Any, Final, Literal

from streamq.errors import ConfigurationError, FieldError
from streamq.model import codec
from streamq.model.calendars import Calendar, Closed, Closing
from streamq.model.clock import to_ms
from streamq.model.cron import CronLine, Occurrence, zone_of
from streamq.times import rfc3339

Overlap = Literal["skip", "queue", "allow"]
"""What happens to a run while the job of the run before is not at its end: it is left out, or it runs beside it."""
Misfire = Literal["skip", "once", "all"]
"""What becomes of planned times that nobody was there for: nothing, one run for all of them, or a run for each."""
Source = Literal["code", "api"]
"""Who made it: a program that declares it, or a person at run time."""

YEARS: Final = (1970, 9000)
"""Times lie between these: beyond, no calendar can be asked any more."""
SPARE: Final = 1_000
"""Planned times that a search for the latest walks beyond those that it looks for."""
CLOSED_AT_MOST: Final = 1_000
"""Windows of a calendar that are passed over in the search for an open moment: years of nights and holidays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Which job is enqueued, and when: one of ``cron``, ``every`` and ``at``."""

    name: str
    queue: str
    task: str
    payload: bytes = b"null"
    """JSON."""
    cron: str | None = None
    every: float | None = None
    """Seconds."""
    at: datetime | None = None
    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    jitter: float = 0.0
    """Seconds by which a run is put off at most."""
    overlap: Overlap = "allow"
    misfire: Misfire = "once"
    misfire_limit: int = 100
    """How many runs ``all`` makes up for at most, the latest."""
    calendar: Calendar | None = None
    source: Source = "api"

    # -- as it is written -------------------------------------------------------------------------------------

    def asdict(self) -> dict[str, Any]:
        """The schedule as JSON has it, but its payload; times are RFC 3339 in UTC."""
        return {
            **{name: getattr(self, name) for name in _TEXTS},
            **{name: rfc3339(at.astimezone(UTC)) if (at := getattr(self, name)) else None for name in _TIMES},
            "calendar": self.calendar.asdict() if self.calendar else None,
        }

    def encoded(self) -> bytes:
        """The schedule as it is kept, without its name and its queue: they are where it is found."""
        said = self.asdict()
        kept = {name: said[name] for name in said if said[name] != _DEFAULTS.get(name)}
        del kept["name"], kept["queue"]
        return codec.dumps(kept) + b"\n" + self.payload

    @classmethod
    def decoded(cls, name: str, queue: str, raw: bytes) -> Schedule:
        """A schedule from what is kept. Raises ``ValueError`` for what is none."""
        line, _, payload = raw.partition(b"\n")
        said = codec.loads(line)
        try:
            for time in _TIMES:
                if time in said:
                    said[time] = datetime.fromisoformat(said[time])
            if "calendar" in said:
                said["calendar"] = Calendar.of(said["calendar"])
            known = {each: said[each] for each in said if each in _DEFAULTS or each == "task"}
            return cls(**{**known, "name": name, "queue": queue, "payload": payload or b"null"})
        except (AttributeError, TypeError) as error:
            raise ValueError(f"it is no schedule: {error}") from error

    def equals(self, other: Schedule) -> bool:
        """Whether it is the same as another, however the JSON of their payloads is written."""
        if replace(self, payload=b"") != replace(other, payload=b""):
            return False
        return self.payload == other.payload or _compact(self.payload) == _compact(other.payload)

    def has_times_of(self, other: Schedule) -> bool:
        """Whether it is planned for the same times as another."""
        return all(getattr(self, name) == getattr(other, name) for name in _OF_TIMES)


def _compact(payload: bytes) -> bytes:
    return codec.dumps(codec.exact(payload))


_DEFAULTS: Final = {
    field.name: field.default for field in fields(Schedule) if field.name not in ("name", "queue", "task")
}
_TIMES: Final = ("at", "start", "end")
_TEXTS: Final = tuple(
    field.name for field in fields(Schedule) if field.name not in (*_TIMES, "payload", "calendar")
)
_OF_TIMES: Final = ("name", "cron", "every", "at", "zone", "start", "end", "calendar")


# -- what is wrong with it ------------------------------------------------------------------------------------------


def problems(schedule: Schedule) -> list[FieldError]:
    """What is wrong with it, by field."""
    return [FieldError(f"/{field}", code, said) for field, code, said in _problems(schedule)]


def _problems(schedule: Schedule) -> Iterator[tuple[str, str, str]]:
    given = [name for name in ("cron", "every", "at") if getattr(schedule, name) is not None]
    if len(given) != 1:
        has = f"it has {' and '.join(given)}" if given else "it has none of them"
        yield given[-1] if given else "cron", "one-of", f"give one of cron, every and at: {has}"
    try:
        zone = zone_of(schedule.zone)
    except ValueError as error:
        yield "zone", "zone", str(error)
        zone = zone_of("UTC")
    if schedule.cron is not None:
        try:
            CronLine(schedule.cron, zone)
        except ValueError as error:
            yield "cron", "cron", str(error)
    if schedule.calendar is not None:
        try:
            Closing(schedule.calendar, zone)
        except ValueError as error:
            yield "calendar", "calendar", str(error)
        except ConfigurationError as error:
            yield "calendar", "extra", str(error)
    yield from _of_times(schedule)


def _of_times(schedule: Schedule) -> Iterator[tuple[str, str, str]]:
    for name in _TIMES:
        at = getattr(schedule, name)
        if at is not None and not YEARS[0] <= at.year <= YEARS[1]:
            yield name, "time", f"it must be in the years from {YEARS[0]} to {YEARS[1]}"
    if schedule.start is not None and schedule.end is not None and schedule.end < schedule.start:
        yield "end", "end", "it ends before it starts"


# -- its planned times ----------------------------------------------------------------------------------------------


class Plan:
    """The planned times of a schedule, in milliseconds since the epoch.

    Raises ``ValueError`` for one that has ``problems``, and ``ConfigurationError`` where an extra is not installed.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.zone = zone_of(schedule.zone)
        self._line = CronLine(schedule.cron, self.zone) if schedule.cron is not None else None
        self._every = round((schedule.every or 0) * 1000)
        self._closing = Closing(schedule.calendar, self.zone) if schedule.calendar else None
        self._start = to_ms(schedule.start) if schedule.start else None
        self._end = to_ms(schedule.end) if schedule.end else None

    def after(self, ms: int) -> Occurrence | None:
        """The first planned time after ``ms``; ``None`` when there is none."""
        return next(self.walk(ms), (None, None))[0]

    def walk(self, ms: int) -> Iterator[tuple[Occurrence, Closed | None]]:
        """The planned times after ``ms``, each with the last window of the calendar that was passed over for it."""
        ms = max(ms, self._start - 1) if self._start is not None else ms
        passed: Closed | None = None
        count = 0
        while (found := self._after(ms)) is not None and (self._end is None or found.at <= self._end):
            closed = self._closing.at(found.at) if self._closing else None
            if closed is None:
                yield found, passed
                ms, passed, count = found.at, None, 0
            elif (count := count + 1) > CLOSED_AT_MOST:
                return
            else:
                ms, passed = max(found.at, closed.until - 1), closed

    def _after(self, ms: int) -> Occurrence | None:
        if self._line is not None:
            return self._line.after(ms)
        if self._every:
            anchor = self._anchor()
            return Occurrence(anchor + max(0, (ms - anchor) // self._every + 1) * self._every)
        at = to_ms(self._schedule.at) if self._schedule.at else ms
        return Occurrence(at) if at > ms else None

    def _anchor(self) -> int:
        """Where intervals are counted from: ``start``, else a moment that the name decides, so that the many schedules
        of every minute are spread over it."""
        if self._start is not None:
            return self._start
        return _by_chance(self._schedule.name, self._every)

    def latest(self, first: int, last: int, most: int) -> list[int]:
        """The planned times from ``first`` to ``last``, both included: the latest ``most`` of them.

        How close together they are is not known, so the span that is walked grows or shrinks until it has enough of
        them and not many more.
        """
        few, many, span = 0, 0, 1000 * most
        while True:
            begin = max(first, last - span)
            found = list(islice(self._until(begin - 1, last), most + SPARE))
            if len(found) == most + SPARE:
                many = span
            elif len(found) >= most or begin == first:
                return found[-most:]
            else:
                few = span
            span = (few + many) // 2 if many else 4 * span

    def _until(self, ms: int, last: int) -> Iterator[int]:
        return takewhile(lambda at: at <= last, (occurrence.at for occurrence, _ in self.walk(ms)))

    def put_off(self, at: int) -> int:
        """Milliseconds by which jitter puts off the run of a planned time: the same whoever asks."""
        most = round(self._schedule.jitter * 1000)
        return _by_chance(f"{self._schedule.name} {at}", most + 1) if most else 0


def _by_chance(text: str, below: int) -> int:
    """A number from 0 on that looks random, and is the same in every process."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) % below
