"""The server's memory, by state, from counts of jobs: read off curves that were measured with the engine's own jobs.

Nothing here knows how the engine or the server lay a job out: a change of either changes what is measured.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

TASK: Final = "send_message"
"""A name as long as most: it is in every job, beside the payload."""
MIXED: Final = 101
"""Sizes, evenly from the least to the most, that stand for all between."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Bytes that a job takes beyond its payload; ``beyond`` is by rising bytes of payload and name."""

    beyond: tuple[tuple[float, float], ...]

    def at(self, size: float) -> float:
        """Bytes of a job; between two that were measured along a line, and past the ends as at them."""
        right = bisect_left(self.beyond, (size,))
        around = self.beyond[max(0, right - 1) : right + 1]
        (low, least), (high, most) = around[0], around[-1]
        share = 0.0 if high == low else (size - low) / (high - low)
        return size + least + share * (most - least)

    def mean(self, sizes: Sequence[int], task: str, more: float = 0.0) -> float:
        """Bytes of a job on average, with payloads of the least to the most of ``sizes`` and ``more`` bytes of text."""
        least, most = min(sizes), max(sizes)
        mixed = (
            [least + (most - least) * step / (MIXED - 1) for step in range(MIXED)]
            if most > least
            else [least]
        )
        return fmean(self.at(size + len(task) + more) for size in mixed)


@dataclass(frozen=True, slots=True)
class Histories:
    """Bytes that a failed job has beside its payload after one attempt, two, three, and as many as change nothing.

    Tracebacks are as long as the engine keeps them: it keeps those of the first attempt and the last, a summary of each
    between, and no more than a bound.
    """

    one: int
    two: int
    three: int
    bound: int

    def beside(self, attempts: int) -> int:
        """After so many attempts."""
        between = self.two + (attempts - 2) * (self.three - self.two)
        return self.one if attempts == 1 else min(self.bound, between)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a server's memory is taken by, in bytes."""

    parts: dict[str, Curve]
    """By state: waiting, delayed, completed."""
    pending: float
    """Per active job, beside what it took when it waited."""
    late: int
    """Of text, per completed job that was delayed."""
    plain: int
    """Of text, per completed job, beside payload and name."""
    buried: float
    """Per failed job, beside what a completed one of as much text takes."""
    histories: Histories
    worker: float
    """Per worker process: its connections and what it says of itself."""
    empty: float
    """A server without a key."""

    def waiting(self, sizes: Sequence[int], task: str = TASK) -> float:
        """Bytes per waiting job with payloads of ``sizes``, the least and the most."""
        return self.parts["waiting"].mean(sizes, task)

    def active(self, sizes: Sequence[int], task: str = TASK) -> float:
        """Bytes per active job."""
        return self.waiting(sizes, task) + self.pending

    def delayed(self, sizes: Sequence[int], task: str = TASK) -> float:
        """Bytes per delayed job."""
        return self.parts["delayed"].mean(sizes, task)

    def completed(
        self, sizes: Sequence[int], task: str = TASK, *, result: int = 0, late: float = 0.0
    ) -> float:
        """Bytes per completed job that is kept, with a result of so many bytes; the share ``late`` was delayed."""
        at_once, after = (self.parts["completed"].mean(sizes, task, result + more) for more in (0, self.late))
        return (1 - late) * at_once + late * after

    def failed(self, sizes: Sequence[int], attempts: int, task: str = TASK) -> float:
        """Bytes per failed job that is kept, after so many attempts."""
        more = self.histories.beside(attempts) - self.plain
        return self.parts["completed"].mean(sizes, task, more) + self.buried
