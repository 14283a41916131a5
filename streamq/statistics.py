"""Which statistics are asked for, read and added up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from streamq.durations import Duration, seconds_of
from streamq.errors import UsageError
from streamq.model.clock import from_ms
from streamq.model.shown import as_given
from streamq.model.statistics import (
    HOUR,
    HOURS_KEPT,
    MINUTE,
    MINUTES_KEPT,
    Figures,
    Point,
    Statistics,
    Sums,
    figures_of,
)
from streamq.noun_errors import WindowNotKept
from streamq.store.statistics import Kept, StatisticsStore

POINTS: Final = 60
"""Points of a series at most where nobody says its step: as many as a line of a terminal shows."""
_STEPS: Final = (60, 300, 900, 3_600, 4 * 3_600, 86_400, 2 * 86_400)
"""The steps of which one is chosen then."""


class Window(NamedTuple):
    """A time by the server's clock, in seconds since the epoch, and how it is cut into steps."""

    since: int
    until: int
    step: int
    now: int

    @property
    def unit(self) -> int:
        """Of which what is kept is read: minutes where the step asks for them."""
        return HOUR if self.step % HOUR == 0 and self._is_old else MINUTE

    @property
    def _is_old(self) -> bool:
        return self.now - self.since > MINUTES_KEPT or self.until - self.since >= 6 * HOUR

    @property
    def numbers(self) -> range:
        """Those of its minutes or hours that can be there."""
        return range(self.since // self.unit, -(-min(self.until, self.now + 1) // self.unit))


def window(
    now: int, since: Duration | datetime, until: Duration | datetime | None, step: Duration | None
) -> Window:
    """The window that is asked for, its begin set back to that of a step.

    Raises ``UsageError`` for what can be none, and ``WindowNotKept``.
    """
    begin = _second("since", since, now)
    end = now if until is None else _second("until", until, now)
    if begin >= end:
        raise UsageError(
            f"since={as_given(since)} is not before until={as_given(until)}: nothing lies between"
        )
    wide = _step(step) if step is not None else _chosen(now, begin, end)
    oldest = now - (HOURS_KEPT if wide % HOUR == 0 else MINUTES_KEPT)
    if begin < oldest - MINUTE:
        raise WindowNotKept(from_ms(begin * 1000), from_ms(oldest * 1000), by_hour=now - begin <= HOURS_KEPT)
    asked = Window(begin - begin % wide, end, wide, now)
    return asked._replace(until=min(max(now, begin + 1), -(-end // asked.unit) * asked.unit))


def _second(name: str, given: Any, now: int) -> int:
    """A time, or how long ago it was."""
    if isinstance(given, datetime):
        if given.tzinfo is None:
            raise UsageError(
                f"{name}={as_given(given)} has no time zone: use an aware datetime, as datetime.now(UTC)"
            )
        return int(given.timestamp())
    try:
        return now - int(seconds_of(given))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{name}={as_given(given)} is not possible: use how long ago it was, as '1h', or an aware datetime"
        ) from None


def _step(step: Any) -> int:
    try:
        seconds = seconds_of(step)
    except ValueError:
        seconds = 0
    if seconds < MINUTE or seconds % MINUTE or seconds > 30 * 86_400:
        raise UsageError(f"step={as_given(step)} is not possible: use whole minutes, as '1m', '15m' or '1h'")
    return int(seconds)


def _chosen(now: int, begin: int, end: int) -> int:
    old = now - begin > MINUTES_KEPT
    return next((s for s in _STEPS if (end - begin) / s <= POINTS and (s % HOUR == 0 or not old)), _STEPS[-1])


async def statistics_of(
    store: StatisticsStore, queue: str, asked: Window, task: str | None = None
) -> Statistics:
    """What is kept of the window, added up."""
    kept = await store.kept(queue, asked.unit, asked.numbers, task)
    return added_up(queue, asked, kept, task)


def added_up(queue: str, asked: Window, kept: Sequence[Kept], task: str | None = None) -> Statistics:
    """The same from what was read."""
    steps: dict[int, list[Kept]] = defaultdict(list)
    tasks: dict[str, Sums] = defaultdict(Counter)
    for each in kept:
        at = each.number * asked.unit
        steps[at - at % asked.step].append(each)
        for name, sums in each.tasks.items():
            tasks[name].update(sums)
    passed = min(asked.until, asked.now) - asked.since
    busiest = sorted(tasks, key=lambda name: (-figures_of(tasks[name], 1).ended, name))
    figures = {name: figures_of(tasks[name], passed) for name in busiest}
    return Statistics(
        queue, _at(asked.since), _at(asked.until), asked.step, task, figures_of(_sum(tasks.values()), passed),
        {name: found for name, found in figures.items() if found.ended},
        tuple(_point(at, steps.get(at, []), asked) for at in range(asked.since, asked.until, asked.step)),
    )  # fmt: skip


def _point(at: int, kept: Sequence[Kept], asked: Window) -> Point:
    lasted = min(at + asked.step, asked.now) - at
    waiting = [each.waiting for each in kept if each.waiting is not None]
    sums = _sum([sums for each in kept for sums in each.tasks.values()])
    return Point(_at(at), figures_of(sums, lasted) if sums else Figures(), max(waiting, default=None))


def _sum(parts: Any) -> Sums:
    whole: Sums = Counter()
    for part in parts:
        whole.update(part)
    return whole


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
