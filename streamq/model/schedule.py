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
from typing import Any, Final, Literal, NamedTuple

from streamq.durations import LONGEST_WAIT
from streamq.errors import ConfigurationError, FieldError
from streamq.model import codec
from streamq.model.calendars import WITHIN, YEARS, Calendar, Closed, Closing
from streamq.model.clock import to_ms
from streamq.model.cron import CronLine, Occurrence, zone_of
from streamq.model.lanes import NORMAL
from streamq.model.names import is_partition
from streamq.times import rfc3339

Overlap = Literal["skip", "queue", "allow"]
"""What happens to a run while the job of the run before is not at its end: it is left out, or it runs beside it."""
Misfire = Literal["skip", "once", "all"]
"""What becomes of planned times that nobody was there for: nothing, one run for all of them, or a run for each."""
Source = Literal["code", "api"]
"""Who made it: a program that declares it, or a person at run time."""

WHEN: Final = ("cron", "every", "at")
"""What says when it runs: one of these."""
SPARE: Final = 1_000
"""Planned times that a search for the latest walks beyond those that it looks for."""
CLOSED_AT_MOST: Final = 1_000
"""Windows of a calendar that are passed over in the search for an open moment: years of nights and holidays."""


class Moving(NamedTuple):
    """A change of a schedule's queue that was begun: whoever meets it ends it."""

    queue: str
    planned: int | None
    """Its next planned time there, in milliseconds since the epoch."""


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
    priority: str = NORMAL
    """That of its jobs."""
    group: str | None = None
    """That of its jobs."""
    payload_version: int = 1
    """The version of the payload, as of any job."""
    masked: tuple[str, ...] = ()
    """What of the payload no view shows: JSON pointers, as in the headers of any job."""

    @property
    def headers(self) -> dict[str, Any]:
        """What each of its jobs says in its headers, beside its run."""
        said = {name: getattr(self, name) for name in ("priority", "group", "payload_version", "masked")}
        return {name: value for name, value in said.items() if value != _DEFAULTS[name]}

    # -- as it is written -------------------------------------------------------------------------------------

    def asdict(self) -> dict[str, Any]:
        """The schedule as JSON has it, but its payload; times are RFC 3339 in UTC."""
        return {
            **{name: getattr(self, name) for name in _TEXTS},
            **{name: rfc3339(at.astimezone(UTC)) if (at := getattr(self, name)) else None for name in _TIMES},
            "calendar": self.calendar.asdict() if self.calendar else None,
        }

    def encoded(self, moving: Moving | None = None) -> bytes:
        """The schedule as it is kept, without its name and its queue: they are where it is found."""
        said = self.asdict()
        kept = {name: said[name] for name in said if said[name] != _DEFAULTS.get(name)}
        del kept["name"], kept["queue"]
        if self.masked:
            kept["masked"] = list(self.masked)
        if moving:
            kept["moving"] = list(moving)
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
            known = {each: _of_its_kind(each, said[each]) for each in said if each in _KINDS}
            return cls(**{**known, "name": name, "queue": queue, "payload": payload or b"null"})
        except (AttributeError, TypeError) as error:
            raise ValueError(f"it is no schedule: {error}") from error

    @staticmethod
    def moving(raw: bytes) -> Moving | None:
        """Where it is on its way to, by what is kept. Raises ``ValueError`` for what is no schedule."""
        line, _, _ = raw.partition(b"\n")
        said = codec.loads(line).get("moving")
        if not (isinstance(said, list) and len(said) == len(Moving._fields) and is_partition(said[0])):
            return None
        return Moving(said[0], said[1] if isinstance(said[1], int) else None)

    def equals(self, other: Schedule) -> bool:
        """Whether it is the same as another, however the JSON of their payloads is written."""
        if replace(self, payload=b"") != replace(other, payload=b""):
            return False
        return self.payload == other.payload or _compact(self.payload) == _compact(other.payload)

    def has_times_of(self, other: Schedule) -> bool:
        """Whether it is planned for the same times as another."""
        return all(getattr(self, name) == getattr(other, name) for name in _OF_TIMES)


def _of_its_kind(name: str, value: Any) -> Any:
    """A value that was kept, which another program may have written. Raises ``TypeError``."""
    if name == "masked":
        value = tuple(value)
    kind = _KINDS[name]
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if not fits or (name == "masked" and not all(isinstance(each, str) for each in value)):
        raise TypeError(f"{name} is a {type(value).__name__}")
    bounds = _BOUNDS.get(name)
    if bounds and not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"{name} is {value}")
    return value


def _compact(payload: bytes) -> bytes:
    return codec.dumps(codec.exact(payload))


_DEFAULTS: Final = {
    field.name: field.default for field in fields(Schedule) if field.name not in ("name", "queue", "task")
}
_KINDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("task", "cron", "zone", "overlap", "misfire", "source", "priority", "group"), str),
    **dict.fromkeys(("at", "start", "end"), datetime), **dict.fromkeys(("every", "jitter"), int | float),
    **dict.fromkeys(("misfire_limit", "payload_version"), int), "calendar": Calendar, "masked": tuple,
}  # fmt: skip
"""The type of each value that is kept."""
_BOUNDS: Final = {"every": (1, LONGEST_WAIT), "jitter": (0, LONGEST_WAIT), "misfire_limit": (1, 10_000)}
"""Between what numbers lie, roughly: the search for planned times ends."""
_TIMES: Final = ("at", "start", "end")
_TEXTS: Final = tuple(
    field.name for field in fields(Schedule) if field.name not in (*_TIMES, "payload", "calendar", "masked")
)
_OF_TIMES: Final = ("name", "cron", "every", "at", "zone", "start", "end", "calendar")


# -- what is wrong with it ------------------------------------------------------------------------------------------


def problems(schedule: Schedule) -> list[FieldError]:
    """What is wrong with it, by field."""
    return [FieldError(f"/{field}", code, said) for field, code, said in _problems(schedule)]


def _problems(schedule: Schedule) -> Iterator[tuple[str, str, str]]:
    given = [name for name in WHEN if getattr(schedule, name) is not None]
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
            yield name, "time", WITHIN
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
