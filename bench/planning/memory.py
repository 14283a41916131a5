"""The server's memory, by state, from counts of jobs: read off curves that were measured with the engine's own jobs.

Nothing here knows how the engine or the server lay a job out: a change of either changes what is measured.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from statistics import fmean
from typing import Final

TASK: Final = "send_message"
"""A name as long as most: it is in every job, beside the payload."""
MIXED: Final = 101
"""Sizes, evenly from the least to the most, that stand for all between."""

Sizes = tuple[int, int]
"""Bytes of payloads, the least and the most."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Bytes that a job takes beyond its payload, by what they depend on, in rising order."""

    points: tuple[tuple[float, float], ...]

    def at(self, place: float) -> float:
        """Between two that were measured along a line, and past the ends as at them."""
        right = bisect_left(self.points, (place,))
        around = self.points[max(0, right - 1) : right + 1]
        (low, least), (high, most) = around[0], around[-1]
        share = 0.0 if high == low else (place - low) / (high - low)
        return least + share * (most - least)

    def mean(self, sizes: Sizes, task: str, more: int = 0) -> float:
        """Bytes of a job on average, of a curve by bytes of payload and name, with ``more`` bytes of text."""
        least, most = sizes
        mixed = [least + (most - least) * step / (MIXED - 1) + len(task) + more for step in range(MIXED)]
        return fmean(size + self.at(size) for size in mixed)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a server's memory is taken by, in bytes."""

    waiting: Curve
    delayed: Curve
    completed: Curve
    """By bytes of payload and name."""
    failed: Curve
    """By attempts, with tracebacks as long as they are kept."""
    pending: float
    """Per active job, beside what it took when it waited."""
    late: float
    """Per completed job that was delayed, beside what the others take."""
    worker: float
    """Per worker process: its connections and what it says of itself."""
    empty: float
    """A server without a key."""

    def of_completed(self, sizes: Sizes, task: str = TASK, *, result: int = 0, late: float = 0.0) -> float:
        """Bytes per completed job that is kept, with a result of so many bytes; the share ``late`` was delayed."""
        return self.completed.mean(sizes, task, result) + late * self.late

    def of_failed(self, sizes: Sizes, attempts: int, task: str = TASK) -> float:
        """Bytes per failed job that is kept, after so many attempts."""
        return fmean(sizes) + len(task) + self.failed.at(attempts)
