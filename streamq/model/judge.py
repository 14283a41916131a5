"""The judge: what follows from an attempt that failed. Pure: no clock, no I/O; the random number is an argument."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from streamq.errors import ConfigurationError, InvalidPayload
from streamq.verdicts import LONGEST_WAIT, Fail, Retry, Snooze


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter.

    The n-th failure waits ``base * 2**(n-1)`` seconds, at most ``most``, plus up to as much again at random:
    never earlier than asked for, and jobs that failed together do not come back together.
    Raises ``ConfigurationError`` for a number of seconds that is negative, infinite or not a number at all.
    """

    base: float = 1.0
    most: float = 3600.0

    def __post_init__(self) -> None:
        given: tuple[tuple[str, object], ...] = (("base", self.base), ("most", self.most))
        for name, seconds in given:
            if not isinstance(seconds, int | float) or not math.isfinite(seconds) or seconds < 0:
                raise ConfigurationError(
                    f"Backoff({name}={seconds!r}) is not a time to wait: use a number of seconds from 0 on"
                )

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
    """End the job: it is failed."""


Judgement = Again | Bury

BURY: Final = Bury()


class TimeLimit(Exception):
    """The attempt took longer than it may."""

    def __init__(self, seconds: float, said: str = "") -> None:
        more = f" ({said})" if said else ""
        super().__init__(f"the attempt took longer than its time limit of {seconds:g} s{more}")


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
    """What follows from ``error`` in attempt number ``attempt`` (from 1) of ``attempts``. Never raises.

    Only the true type of the error counts: asking the error itself runs code of the handler's program.
    A verdict whose time to wait is unusable (``unusable`` says why) is judged as any other error.
    """
    kind, asked = type(error), _asked(error)
    if issubclass(kind, Snooze) and isinstance(asked, float):
        return Again(_clamped(asked), spent=False)
    if issubclass(kind, _HOPELESS) or attempt >= attempts:
        return BURY
    if issubclass(kind, Retry) and isinstance(asked, float):
        return Again(_clamped(asked))
    return Again(_clamped(_backed_off(backoff, attempt, chance)))


def unusable(error: BaseException) -> str:
    """What is wrong with the time that a verdict asks for; empty when nothing is, or when it is no verdict."""
    asked = _asked(error)
    return asked if isinstance(asked, str) else ""


def _asked(error: BaseException) -> float | str | None:
    """The seconds that a verdict asks for, ``None`` when it asks for none, or what is wrong with them.

    A subclass may have left out ``super().__init__()`` or made anything of its attributes.
    """
    kind = type(error)
    if not issubclass(kind, Retry | Snooze):
        return None
    name = "after" if issubclass(kind, Retry) else "seconds"
    try:
        value = getattr(error, name)
        if value is None and name == "after":
            return None
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if isinstance(seconds, int | float) and seconds <= LONGEST_WAIT:  # false for NaN
            return float(seconds)
    except BaseException:  # noqa: S110  # code of the handler's program; the text below describes it
        pass
    parent = "Retry" if name == "after" else "Snooze"
    return (
        f"its `{name}` is not a number of seconds up to {LONGEST_WAIT:g}: "
        f"call super().__init__() with it in the __init__ of your subclass of {parent}"
    )


def _backed_off(backoff: Backoff, failures: int, chance: float) -> float:
    try:
        return float(backoff.seconds(failures, chance))
    except Exception:  # a subclass of the program's own: the job is retried all the same
        return Backoff().seconds(failures, chance)


def _clamped(seconds: float) -> float:
    """Between 0 and the longest wait; what is not a number counts as 0."""
    return min(seconds, LONGEST_WAIT) if seconds > 0 else 0.0
