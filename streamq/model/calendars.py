"""Calendars: when a schedule does not run. Holidays of a country, and black-out windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from streamq.errors import ConfigurationError
from streamq.model.shown import as_given

FORMS: Final = (
    "write two times of day, as 22:00 and 06:00, two dates, as 2026-12-24 and 2027-01-01, or two moments with their "
    "zone, as 2026-12-24T18:00:00Z"
)
YEARS: Final = (1970, 9000)
"""Times lie between these: beyond, no calendar can be asked any more."""
WITHIN: Final = f"it must be in the years from {YEARS[0]} to {YEARS[1]}"
MOST: Final = 100
"""Black-out windows of a calendar at most: each is looked at for each planned time."""
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When a schedule does not run, by the clock of its zone: planned times in there are left out.

    ``holidays`` are those of a country, as ``"DE"``, or of a part of it, as ``"DE-BY"``; they need the extra
    ``streamq[calendar]``. Each of ``blackouts`` is a window, from and to: two times of day (each day, and past
    midnight where the second is the earlier), two dates (both included), or two moments with their zone.
    Raises ``ConfigurationError`` for what is no text.
    """

    holidays: str | None = None
    blackouts: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        try:
            windows = tuple((begin, end) for begin, end in self.blackouts)
        except (TypeError, ValueError):
            windows = ((None, None),)  # type: ignore[assignment]
        if not all(isinstance(text, str) for window in windows for text in window):
            raise ConfigurationError(f"blackouts={as_given(self.blackouts)} are no pairs of texts: {FORMS}")
        if not (self.holidays is None or isinstance(self.holidays, str)):
            raise ConfigurationError(
                f"holidays={as_given(self.holidays)} is no text: write it as DE or DE-BY"
            )
        object.__setattr__(self, "blackouts", windows)

    def asdict(self) -> dict[str, Any]:
        """The calendar as JSON has it."""
        said = {"holidays": self.holidays, "blackouts": [list(window) for window in self.blackouts]}
        return {name: value for name, value in said.items() if value}

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Calendar:
        """A calendar from its JSON."""
        return cls(said.get("holidays"), tuple((a, b) for a, b in said.get("blackouts", ())))


class Closed(NamedTuple):
    """Why nothing runs at a moment, and until when, in milliseconds since the epoch."""

    until: int
    why: str


Window = Callable[[datetime, ZoneInfo], Closed | None]
"""Whether a moment, by the clock of its zone, is in the window."""


class Closing:
    """A calendar in a zone.

    Raises ``ValueError`` for what it cannot be, and ``ConfigurationError`` where the extra is not installed.
    """

    def __init__(self, calendar: Calendar, zone: ZoneInfo) -> None:
        if len(calendar.blackouts) > MOST:
            raise ValueError(f"a calendar has at most {MOST} black-out windows")
        self._zone = zone
        self._windows: list[Window] = [_window(*pair) for pair in calendar.blackouts]
        if calendar.holidays is not None:
            self._windows.append(_of_holidays(calendar.holidays))

    def at(self, ms: int) -> Closed | None:
        """Why nothing runs then, by the window that ends last; ``None`` when it is open."""
        local = datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._zone)
        return max((found for window in self._windows if (found := window(local, self._zone))), default=None)


def _window(begin: str, end: str) -> Window:
    for kind, window in _KINDS:
        try:
            first, last = kind(begin), kind(end)
        except (TypeError, ValueError):
            continue
        if any(isinstance(at, date) and not YEARS[0] <= at.year <= YEARS[1] for at in (first, last)):
            raise ValueError(f"black-out from {begin} to {end}: {WITHIN}")
        return window(first, last, f"black-out from {begin} to {end}")
    raise ValueError(f"{begin!r:.40} to {end!r:.40} is no black-out window: {FORMS}")


def _of_day(first: time, last: time, why: str) -> Window:
    if first == last or first.tzinfo or last.tzinfo:
        raise ValueError(f"{why} is never, or always: {FORMS}")

    def window(local: datetime, zone: ZoneInfo) -> Closed | None:
        now = local.time()
        within = first <= now < last if first < last else now >= first or now < last
        if not within:
            return None
        day = local.date() if now < last else local.date() + _DAY
        return Closed(_ms(datetime.combine(day, last, zone)), why)

    return window


def _of_dates(first: date, last: date, why: str) -> Window:
    if last < first:
        raise ValueError(f"{why} ends before it begins")

    def window(local: datetime, zone: ZoneInfo) -> Closed | None:
        if not first <= local.date() <= last:
            return None
        return Closed(_midnight_after(last, zone), why)

    return window


def _of_moments(first: datetime, last: datetime, why: str) -> Window:
    if first.tzinfo is None or last.tzinfo is None:
        raise ValueError(f"{why} has no zone: {FORMS}")
    if last <= first:
        raise ValueError(f"{why} ends before it begins")

    def window(local: datetime, zone: ZoneInfo) -> Closed | None:  # noqa: ARG001  # moments have their own zone
        return Closed(_ms(last), why) if first <= local < last else None

    return window


_KINDS: Final[tuple[tuple[Callable[[str], Any], Callable[[Any, Any, str], Window]], ...]] = (
    (date.fromisoformat, _of_dates), (time.fromisoformat, _of_day), (datetime.fromisoformat, _of_moments),
)  # fmt: skip
"""How each kind of window is read, and what is made of it."""


def _of_holidays(where: str) -> Window:
    days = _holidays(where)

    def window(local: datetime, zone: ZoneInfo) -> Closed | None:
        name = days.get(local.date())
        return Closed(_midnight_after(local.date(), zone), str(name)) if name else None

    return window


@lru_cache(32)
def _holidays(where: str) -> Any:
    """The holidays of a country, or of a part of it; they are reckoned for each year that is asked for."""
    try:
        import holidays  # noqa: PLC0415  # an extra
    except ImportError:
        raise ConfigurationError(
            "a calendar of holidays needs the extra `calendar`: pip install 'streamq[calendar]'"
        ) from None
    country, _, part = where.partition("-")
    parts = holidays.list_supported_countries()
    if country not in parts:
        raise ValueError(f"there are no holidays of {as_given(country)}: {_near(country, parts)}")
    if part and part not in parts[country]:
        raise ValueError(f"{country} has no part {as_given(part)}: {_near(part, parts[country])}")
    known = holidays.country_holidays(country, subdiv=part or None)
    english = (each for each in known.supported_languages if each.startswith("en"))
    # Without a language the names would be in that of the process, another on each host.
    language = next(english, known.default_language)
    return holidays.country_holidays(country, subdiv=part or None, language=language)


def _near(name: str, known: Iterator[str] | Sequence[str] | Mapping[str, Any]) -> str:
    names = sorted(known)
    near = get_close_matches(name[:20].upper(), names, 3, 0.4)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"known are {', '.join(names[:20])}" if names else "it is known as a whole only"


def _midnight_after(day: date, zone: ZoneInfo) -> int:
    return _ms(datetime.combine(day + _DAY, time(), zone))


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
