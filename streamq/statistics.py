"""Which statistics are asked for, read and added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
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
    OTHERS,
    Figures,
    Overall,
    Point,
    Statistics,
    Sums,
    ended_in,
    figures_of,
)
from streamq.noun_errors import WindowNotKept
from streamq.store.statistics import READ_AT_ONCE, Kept, StatisticsStore

POINTS: Final = 60
"""Points of a series at most where nobody says its step: as many as a line of a terminal shows."""
_STEPS: Final = (60, 300, 900, 3_600, 4 * 3_600, 86_400, 2 * 86_400)
"""The steps of which one is chosen then."""
NAMED: Final = 100
"""Tasks that an answer tells apart at most. A minute has 32 at most, and a day that begins a deployment an hour would
have thousands, of which nobody reads so many."""
FOLLOWED: Final = 1_000
"""Tasks that are told apart while a window is read: only where it has more can one that is among the busiest in the end
have been counted with the others at first."""


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
    def passed(self) -> int:
        """Seconds of it that are over."""
        return min(self.until, self.now) - self.since

    @property
    def begins(self) -> range:
        """Of its steps."""
        return range(self.since, self.until, self.step)

    @property
    def hours(self) -> range:
        """By their numbers, those that it touches."""
        return range(self.since // HOUR, -(-self.until // HOUR))

    def lasted(self, at: int) -> int:
        """Seconds of the step that begins then which are over."""
        return min(at + self.step, self.now) - at

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
    running = max(now, begin) + 1  # the second that runs has counts too
    return asked._replace(
        until=running if until is None else min(running, -(-end // asked.unit) * asked.unit)
    )


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
    store: StatisticsStore, names: Sequence[str], asked: Window, task: str | None = None
) -> Statistics:
    """What is kept of the window, added up over the partitions of a queue."""
    return (await _added(store, names, asked, task)).up(names[0], task)


async def groups_of(
    store: StatisticsStore, names: Sequence[str], asked: Window, group: str | None = None
) -> Statistics:
    """The same of the jobs that have a group, by group; or of one group alone."""
    found = (await _added(store, names, asked, group, of_groups=True)).up(names[0])
    return replace(found, group=group, tasks={}, groups=found.tasks)


def nothing_of(queue: str, asked: Window) -> Statistics:
    """Those of a queue of which nothing is kept."""
    return Added(asked).up(queue)


async def overall_of(store: StatisticsStore, queues: Mapping[str, Sequence[str]], asked: Window) -> Overall:
    """The same of all queues together, each with its partitions."""
    together = Together(asked)
    for queue, names in queues.items():
        together.add(queue, await _added(store, names, asked))
    return together.up()


async def _added(
    store: StatisticsStore, names: Sequence[str], asked: Window, task: str | None = None, *,
    of_groups: bool = False,
) -> Added:  # fmt: skip
    added, numbers = Added(asked), asked.numbers
    for start in range(0, len(numbers), READ_AT_ONCE):
        some = numbers[start : start + READ_AT_ONCE]
        kept = [await store.kept(name, asked.unit, some, task, of_groups=of_groups) for name in names]
        added.add(kept[0] if len(kept) == 1 else at_a_time(kept))
    return added


def at_a_time(of_each: Sequence[Sequence[Kept]]) -> list[Kept]:
    """What is kept of each minute or hour of several, so that those who waited at one time are added up."""
    alike: dict[int, list[Kept]] = {}
    for kept in chain.from_iterable(of_each):
        alike.setdefault(kept.number, []).append(kept)
    found = []
    for number, those in alike.items():
        tasks: dict[str, Sums] = {}
        for each in those:
            for name, more in each.tasks.items():
                tasks.setdefault(name, Counter()).update(more)
        waiting = [each.waiting for each in those if each.waiting is not None]
        found.append(Kept(number, tasks, sum(waiting) if waiting else None))
    return found


class Added:
    """What is kept of a window, added up as it is read: each minute may have other tasks than all others."""

    def __init__(self, asked: Window) -> None:
        self._asked = asked
        self._steps: dict[int, tuple[Sums, list[int]]] = {}
        """By the begin of a step: its sums, and how many jobs waited in each part of it that says so."""
        self._tasks: dict[str, Sums] = {}

    def add(self, kept: Sequence[Kept]) -> None:
        """Some minutes or hours more."""
        for each in kept:
            at = each.number * self._asked.unit
            sums, waiting = self._steps.setdefault(at - at % self._asked.step, (Counter(), []))
            waiting += [] if each.waiting is None else [each.waiting]
            for name, more in each.tasks.items():
                sums.update(more)
                self._tasks.setdefault(name, Counter()).update(more)
        if len(self._tasks) > FOLLOWED:
            self._tasks = _busiest(self._tasks)

    def up(self, queue: str, task: str | None = None) -> Statistics:
        """The statistics that it comes to."""
        asked, tasks = self._asked, _busiest(self._tasks)
        figures = {name: figures_of(sums, asked.passed) for name, sums in tasks.items()}
        return Statistics(
            queue, _at(asked.since), _at(asked.until), asked.step, task,
            figures_of(_sum(tasks.values()), asked.passed),
            {name: found for name, found in figures.items() if found.ended},
            tuple(_point(asked, at, *self.step(at)) for at in asked.begins),
        )  # fmt: skip

    def step(self, at: int) -> tuple[Sums, int | None]:
        """What the step that begins then comes to, and how many jobs waited at most."""
        sums, waiting = self._steps.get(at, (Counter(), []))
        return sums, max(waiting, default=None)


class Together:
    """What is kept of a window, added up over queues."""

    def __init__(self, asked: Window) -> None:
        self._asked = asked
        self._steps: dict[int, Sums] = {at: Counter() for at in asked.begins}
        self._waiting: dict[int, int] = {}
        self._queues: dict[str, tuple[Figures, tuple[float, ...]]] = {}

    def add(self, queue: str, added: Added) -> None:
        """One queue more."""
        whole: Sums = Counter()
        rates: list[float] = []
        for at, step in self._steps.items():
            sums, waiting = added.step(at)
            step.update(sums)
            whole.update(sums)
            rates.append(figures_of(sums, self._asked.lasted(at)).rate if sums else 0.0)
            if waiting is not None:
                self._waiting[at] = self._waiting.get(at, 0) + waiting
        if ended_in(whole):
            self._queues[queue] = figures_of(whole, self._asked.passed), tuple(rates)

    def up(self) -> Overall:
        """What it comes to."""
        asked = self._asked
        busiest = sorted(self._queues.items(), key=lambda item: (-item[1][0].ended, item[0]))
        return Overall(
            _at(asked.since), _at(asked.until), asked.step, figures_of(_sum(self._steps.values()), asked.passed),
            tuple(_point(asked, at, sums, self._waiting.get(at)) for at, sums in self._steps.items()),
            {queue: figures for queue, (figures, _) in busiest},
            {queue: rates for queue, (_, rates) in busiest},
        )  # fmt: skip


def _point(asked: Window, at: int, sums: Sums, waiting: int | None) -> Point:
    return Point(_at(at), figures_of(sums, asked.lasted(at)) if sums else Figures(), waiting)


def _busiest(tasks: Mapping[str, Sums]) -> dict[str, Sums]:
    """The busiest tasks in their order; all others are added up with those that were not told apart before."""
    named = sorted(tasks.keys() - {OTHERS}, key=lambda name: (-ended_in(tasks[name]), name))
    found = {name: tasks[name] for name in named[:NAMED]}
    others = [tasks[name] for name in (OTHERS, *named[NAMED:]) if name in tasks]
    if others:
        found[OTHERS] = _sum(others)
    return dict(sorted(found.items(), key=lambda item: (-ended_in(item[1]), item[0])))


def _sum(parts: Iterable[Sums]) -> Sums:
    whole: Sums = Counter()
    for part in parts:
        whole.update(part)
    return whole


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
