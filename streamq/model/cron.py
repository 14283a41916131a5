"""Cron lines: the moments that a line names on the wall clock of a time zone.

The library ``cronsim`` reads the line and walks a wall clock that is never set. What becomes of its times on the days
on which clocks are set is decided here, by the rules of Debian's cron (cronie has the same), with seconds or without:

- A line with an hour and a minute of its own (``30 2 * * *``) means one run a day. A time that does not exist, as the
  clock is set forward over it, is made up for at the moment at which it is set. One that comes twice counts once.
- A line whose minute or hour begins with ``*`` means steps: it follows the wall clock, so it runs in both of two equal
  hours, and has nothing to make up for.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

LONGEST: Final = 200
"""Characters of a line: a list of sixty minutes fits, and nothing takes long to read."""
FORMS: Final = (
    "write five fields, minute (0-59), hour (0-23), day of the month (1-31 or L), month (1-12 or JAN-DEC), day of the "
    "week (0-7 or SUN-SAT), as in `0 9 * * MON-FRI`; six begin with the second (0-59)"
)
OF_HOSTS: Final = ("localtime", "posixrules")
"""Files beside those of the zones: what they say is another thing on each host."""
_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(2000, 1, 1)  # a wall clock: the library is always told where to begin


class Wall(StrEnum):
    """What is special about a time on the wall clock. Empty for nearly all."""

    PLAIN = ""
    MISSING = "missing"
    """It does not exist on that day: clocks are set forward over it."""
    FIRST = "first"
    """It comes twice, and this is the first time."""
    SECOND = "second"
    """It comes twice, and this is the second time."""


class Occurrence(NamedTuple):
    """A planned time: milliseconds since the epoch, and the time that the wall clock shows, or was to show."""

    at: int
    wall: datetime | None = None
    """Without a zone; ``None`` where no wall clock counts."""
    kind: Wall = Wall.PLAIN


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises ``ValueError`` with a sentence that names near ones."""
    try:
        if name == os.path.normpath(name) and name not in OF_HOSTS:  # else the path of a file that is no zone
            return ZoneInfo(name)
    except (
        OSError,
        ValueError,
        LookupError,
    ):  # ZoneInfoNotFoundError is a LookupError; a folder is an OSError
        pass
    near = get_close_matches(name, _zones(), 3, 0.6)
    hint = f"did you mean {' or '.join(near)}?" if near else "use a name such as Europe/Berlin or UTC"
    raise ValueError(f"there is no time zone of that name: {hint}")


@lru_cache(1)
def _zones() -> list[str]:
    return sorted(available_timezones())


class CronLine:
    """The moments of a line in a zone. Raises ``ValueError`` with what is wrong and what is allowed."""

    def __init__(self, line: str, zone: ZoneInfo) -> None:
        self._zone = zone
        try:
            self._walk = CronSim(line if len(line) <= LONGEST else "", _EPOCH)
        except CronSimError as error:
            raise ValueError(f"{_problem(line, error)}: {FORMS}") from None
        minute, hour = line.split()[-5:-3]
        self._daily = not minute.startswith("*") and not hour.startswith("*")

    def after(self, ms: int) -> Occurrence | None:
        """The first moment after ``ms``; ``None`` when none comes within 50 years."""
        moment = datetime.fromtimestamp(ms // 1000, UTC)
        try:
            return self._once_a_day(moment) if self._daily else self._by_steps(moment)
        except (StopIteration, OverflowError):  # the second at the end of the calendar
            return None

    def _next(self, wall: datetime) -> datetime:
        self._walk.dt = wall
        return next(self._walk)

    def _once_a_day(self, moment: datetime) -> Occurrence:
        wall = self._wall(moment)
        while True:
            wall = self._next(wall)
            found = self._first(wall)
            if found.at > _ms(moment):  # in the second of two equal hours the times of the first are over
                return found

    def _first(self, wall: datetime) -> Occurrence:
        """The moment of a time on the wall clock: the first of two, or that at which clocks are set over it."""
        at, other = (wall.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if at == other:
            return Occurrence(_ms(at), wall)
        if at < other:
            return Occurrence(_ms(at), wall, Wall.FIRST)
        return Occurrence(_ms(self._set(other, at)), wall, Wall.MISSING)

    def _by_steps(self, moment: datetime) -> Occurrence:
        wall = self._wall(moment)
        while True:
            offset, wall = self._offset(moment), self._next(wall)
            at = (wall - offset).replace(tzinfo=UTC)
            if self._offset(at) == offset:
                return Occurrence(_ms(at), wall, self._which(wall, offset))
            moment = self._set(moment, at)
            wall = self._wall(moment) - _SECOND

    def _which(self, wall: datetime, offset: timedelta) -> Wall:
        both = [wall.replace(tzinfo=self._zone, fold=fold).utcoffset() for fold in (0, 1)]
        if both[0] == both[1]:
            return Wall.PLAIN
        return Wall.FIRST if offset == both[0] else Wall.SECOND

    def _set(self, before: datetime, after: datetime) -> datetime:
        """The moment between the two at which the clock is set."""
        old = self._offset(before)
        while after - before > _SECOND:
            middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
            if self._offset(middle) == old:
                before = middle
            else:
                after = middle
        return after

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000


def _problem(line: str, error: CronSimError) -> str:
    if len(line) > LONGEST:
        return f"a line has at most {LONGEST} characters"
    said = str(error).replace("-", " ")
    if said.startswith("Bad "):
        return f"its {said.removeprefix('Bad ')} is not possible"
    count = len(line.split())
    return f"it has {count} field{'s' * (count != 1)}"
