"""Totals: what the attempts of a queue have come to since it is there. They never fall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from streamq.model.statistics import COUNTED, LAST, STEPS, Sums, seconds_in

BOUNDS: Final = (*range(0, 12 * STEPS, STEPS), *range(12 * STEPS, 26 * STEPS, 2 * STEPS))
"""The last bucket of the statistics below each bound: of a millisecond, doubled up to two seconds, and fourfold from
four seconds up to five hours."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long so many jobs took: each count is of a number of jobs of each batch, which stand for the others."""

    seconds: float
    """All their times added up, each right within a tenth."""
    count: int
    below: Mapping[float, int]
    """By a bound in seconds, how many took less."""

    def asdict(self) -> dict[str, Any]:
        """The histogram as JSON has it."""
        below = {str(bound): count for bound, count in self.below.items()}
        return {"seconds": self.seconds, "count": self.count, "below": below}


@dataclass(frozen=True, slots=True)
class Totals:
    """What the attempts of a queue have come to since it is there."""

    queue: str
    outcomes: Mapping[str, int]
    """How many ended as ``completed``, ``failed``, ``cancelled``, ``expired`` and ``retried``: each is counted once."""
    wait: Histogram
    """How long jobs waited before their last attempt."""
    run: Histogram
    """How long that ran."""

    def asdict(self) -> dict[str, Any]:
        """The totals as JSON has them."""
        told = {"wait": self.wait.asdict(), "run": self.run.asdict()}
        return {"queue": self.queue, "outcomes": dict(self.outcomes), **told}


def totals_of(queue: str, sums: Sums) -> Totals:
    """What is kept of a queue, as far as it can be read."""
    outcomes = {name: sums[name] for name in COUNTED.values()}
    return Totals(queue, outcomes, _histogram(sums, "w"), _histogram(sums, "r"))


def _histogram(sums: Sums, letter: str) -> Histogram:
    counts = [sums[f"{letter}{bucket}"] for bucket in range(LAST + 1)]
    below = {2 ** (last / STEPS) / 1000: sum(counts[: last + 1]) for last in BOUNDS}
    seconds = sum(seconds_in(bucket) * count for bucket, count in enumerate(counts) if count)
    return Histogram(round(seconds, 3), sum(counts), below)
