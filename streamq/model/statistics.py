"""Statistics: what the jobs of a queue came to, by task, and how long they waited and ran; by minute and by hour.

What is kept of a task and a minute is a JSON object of numbers: how many attempts came to each outcome, by its name,
and how many jobs waited and ran for how long, as ``w`` and ``r`` with the number of a bucket. Each bucket ends a fifth
above its begin, so a percentile is right within a tenth.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from streamq.model import codec
from streamq.model.outcomes import CANCELLED, COMPLETED, DELAYED, EXPIRED, FAILED
from streamq.times import rfc3339

MINUTE: Final = 60
HOUR: Final = 3_600
MINUTES_KEPT: Final = 86_400
"""Seconds for which minutes are kept: what happened last night."""
HOURS_KEPT: Final = 90 * 86_400
"""Seconds for which hours are kept: a quarter, to compare with."""
NUMBER_KEPT: Final = 3_600
"""Seconds for which the number of a worker's last call is: nothing is repeated for so long."""
TASKS: Final = 32
"""Tasks of a queue that a minute tells apart. With 60 buckets each, which is many, a minute has 20 KB at most then,
or 50 KB where all names have 200 characters and all counts many digits."""
SUBJECTS: Final = 256
"""Subjects of a service's tallies that a minute tells apart, and an hour: with 40 counts and buckets each, 100 KB."""
GROUPS: Final = 100
"""Groups of a queue that an hour tells apart, with its minutes: as many as an answer names."""
NAME: Final = 200
"""Characters of a task's name, as many as enqueue lets it have: another program may write any."""
OTHERS: Final = "*"
"""What stands for all tasks beyond."""
WAITING: Final = b"#"
"""The field that says how many jobs waited at most."""

STEPS: Final = 4
"""Buckets by which a time doubles."""
LAST: Final = 120
"""The last bucket, from 12 days on: above any time limit."""


def bucket_of(ms: float) -> int:
    """The bucket of a time in milliseconds; 0 is for less than one."""
    return 0 if ms < 1 else min(LAST, int(math.log2(ms) * STEPS) + 1)


def seconds_in(bucket: int) -> float:
    """The time for which a bucket stands: its middle, in whole milliseconds where these are fine enough."""
    middle = 2.0 ** ((bucket - 0.5) / STEPS)
    return 0.0 if bucket <= 0 else round(middle, 0 if middle >= 100 else 1) / 1000


@dataclass(frozen=True, slots=True)
class Spread:
    """How times are spread: percentiles and the mean in seconds, each right within a tenth; ``None`` for nothing."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    mean: float | None = None

    def asdict(self) -> dict[str, float | None]:
        """The percentiles and the mean by their names."""
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99, "mean": self.mean}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the attempts of some time came to."""

    completed: int = 0
    failed: int = 0
    """Jobs that failed for good, while a worker had them."""
    cancelled: int = 0
    """Jobs that were cancelled while they ran."""
    expired: int = 0
    retried: int = 0
    """Attempts after which the job comes again: a retry, a snooze, or a worker that does not know its task."""
    rate: float = 0.0
    """Attempts that ended in a second."""
    run: Spread = Spread()
    """How long the last attempts of jobs that ended ran."""
    wait: Spread = Spread()
    """How long those jobs waited before it, from when they could have started."""

    @property
    def ended(self) -> int:
        """Attempts that have ended."""
        return self.completed + self.failed + self.cancelled + self.expired + self.retried

    def asdict(self) -> dict[str, Any]:
        """The figures as JSON has them."""
        return {
            "completed": self.completed, "failed": self.failed, "cancelled": self.cancelled,
            "expired": self.expired, "retried": self.retried, "rate": self.rate, "run": self.run.asdict(),
            "wait": self.wait.asdict(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a series."""

    at: datetime
    """When it begins."""
    figures: Figures
    waiting: int | None = None
    """How many jobs waited at most, as far as a worker looked."""

    def asdict(self) -> dict[str, Any]:
        """The point as JSON has it."""
        return {"at": rfc3339(self.at, "seconds"), "waiting": self.waiting, **self.figures.asdict()}


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the jobs of a queue came to in some time."""

    queue: str
    since: datetime
    until: datetime
    step: int
    """Seconds between two points."""
    task: str | None = None
    """The task of which it tells; ``None`` for all."""
    total: Figures = Figures()
    tasks: Mapping[str, Figures] = field(default_factory=dict)
    """The same of the hundred busiest tasks, the busiest first; ``*`` stands for those that were too many to be told
    apart."""
    points: tuple[Point, ...] = ()
    """Step by step, the oldest first."""
    group: str | None = None
    """The group of which it tells; ``None`` for all jobs, those without a group too."""
    groups: Mapping[str, Figures] = field(default_factory=dict)
    """The same of the groups, the busiest first, where they were asked for; ``*`` stands for those that were too many
    to be told apart."""

    def asdict(self) -> dict[str, Any]:
        """The statistics as JSON has them; times in RFC 3339."""
        return {
            "queue": self.queue, "task": self.task, "since": rfc3339(self.since, "seconds"),
            "until": rfc3339(self.until, "seconds"), "step": self.step, "total": self.total.asdict(),
            "tasks": {name: figures.asdict() for name, figures in self.tasks.items()}, "group": self.group,
            "groups": {name: figures.asdict() for name, figures in self.groups.items()},
            "points": [point.asdict() for point in self.points],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overall:
    """What the jobs of all queues came to together in some time."""

    since: datetime
    until: datetime
    step: int
    """Seconds between two points."""
    total: Figures = Figures()
    points: tuple[Point, ...] = ()
    """Step by step, the oldest first; what waited at most in each queue is added up."""
    queues: Mapping[str, Figures] = field(default_factory=dict)
    """The figures of the queues in which anything ended, the busiest first."""
    rates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Attempts of those queues that ended in a second, step by step."""

    def asdict(self) -> dict[str, Any]:
        """The figures as JSON has them; times in RFC 3339."""
        return {
            "since": rfc3339(self.since, "seconds"), "until": rfc3339(self.until, "seconds"), "step": self.step,
            "total": self.total.asdict(), "points": [point.asdict() for point in self.points],
            "data": [
                {"queue": name, **figures.asdict(), "rates": list(self.rates[name])}
                for name, figures in self.queues.items()
            ],
        }  # fmt: skip


Sums = Counter[str]
"""What is added up: counts by the name of the outcome, and by bucket."""


def told_apart(task: str) -> str:
    """The name under which a task is counted."""
    return OTHERS if len(task) > NAME or task == WAITING.decode() else task


COUNTED: Final = {
    COMPLETED: "completed", FAILED: "failed", CANCELLED: "cancelled", EXPIRED: "expired", DELAYED: "retried",
}  # fmt: skip
"""By the kind of an outcome, as what it is counted."""


def sums_of(raw: bytes) -> Sums:
    """What is kept of a task and a minute, as far as it can be read."""
    try:
        said = codec.loads(raw)
        return Counter({str(name): int(count) for name, count in said.items()})
    except (ValueError, TypeError, AttributeError, OverflowError):
        return Counter()


def ended_in(sums: Sums) -> int:
    """How many attempts have ended."""
    return sum([sums[name] for name in COUNTED.values()])


def figures_of(sums: Sums, seconds: float) -> Figures:
    """The figures that sums of so many seconds come to."""
    counts = {name: sums[name] for name in COUNTED.values()}
    rate = round(sum(counts.values()) / seconds, 3) if seconds > 0 else 0.0
    return Figures(**counts, rate=rate, run=spread_of(sums, "r"), wait=spread_of(sums, "w"))


def spread_of(sums: Sums, before: str) -> Spread:
    """How the times are spread whose buckets have names that begin so."""
    names = ((name.removeprefix(before), count) for name, count in sums.items() if name.startswith(before))
    found = sorted((int(bucket), count) for bucket, count in names if bucket.isdigit())
    total = sum(count for _, count in found)
    if not total:
        return Spread()
    mean = sum(seconds_in(bucket) * count for bucket, count in found) / total
    p50, p95, p99 = (_percentile(found, total * part) for part in (0.5, 0.95, 0.99))
    return Spread(p50, p95, p99, round(mean, 4))


def _percentile(found: Iterable[tuple[int, int]], rank: float) -> float:
    passed, bucket = 0, 0
    for bucket, count in found:  # noqa: B007  # the last one, where rounding has left none
        passed += count
        if passed >= rank:
            break
    return seconds_in(bucket)
