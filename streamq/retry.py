"""What becomes of an attempt: the judge. Pure: no clock, no I/O; the one random number is handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from streamq.errors import Fail, InvalidPayload, Retry, Snooze


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    The n-th failure waits ``base * 2**(n-1)`` seconds, at most ``most``, plus up to as much again at random:
    never earlier than asked for, and jobs that failed together do not come back together.
    """

    base: float = 1.0
    most: float = 3600.0

    def seconds(self, failures: int, chance: float) -> float:
        """Seconds to wait after ``failures`` failures; ``chance`` is in [0, 1)."""
        return min(self.most, self.base * 2.0 ** min(failures - 1, 40)) * (1.0 + chance)


@dataclass(frozen=True, slots=True)
class Again:
    """Run it again after ``seconds``; ``spent`` tells whether that cost an attempt."""

    seconds: float
    spent: bool = True


@dataclass(frozen=True, slots=True)
class Bury:
    """It is over: the job is failed."""


Judgement = Again | Bury

BURY: Final = Bury()


class TimeLimit(Exception):
    """The attempt took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the attempt took longer than its time limit of {seconds:g} s")


class ResultNotStorable(Exception):
    """The handler's result has no JSON form. Its work is done, so it is not repeated."""


class ResultTooLarge(ResultNotStorable):
    """The handler's result has more bytes than are kept. ``size`` and ``limit`` are bytes."""

    def __init__(self, task: str, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(
            f"the result of {task!r} has {size:,} bytes, at most {limit:,} are kept: store it elsewhere and return a "
            "reference, or raise STREAMQ_MAX_RESULT"
        )


_HOPELESS: Final = (Fail, InvalidPayload, ResultNotStorable)


def judge(error: BaseException, *, attempt: int, attempts: int, backoff: Backoff, chance: float) -> Judgement:
    """What follows from ``error`` in attempt number ``attempt`` (from 1) of ``attempts``."""
    if isinstance(error, Snooze):
        return Again(max(0.0, error.seconds), spent=False)
    if isinstance(error, _HOPELESS) or attempt >= attempts:
        return BURY
    if isinstance(error, Retry) and error.after is not None:
        return Again(max(0.0, error.after))
    return Again(backoff.seconds(attempt, chance))
