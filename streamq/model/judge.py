"""The judge: what follows from an attempt that failed. Pure: no clock, no I/O; the random number is an argument."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from streamq.durations import LONGEST_WAIT
from streamq.errors import InvalidPayload
from streamq.model.backoff import Backoff
from streamq.model.retries import THE_TASKS, Retries
from streamq.verdicts import SCOPES, Fail, Retry, Scope, Snooze, Verdict


@dataclass(frozen=True, slots=True)
class Again:
    """Run it again after ``seconds``; ``spent`` tells whether that cost an attempt, and ``scope`` what waits."""

    seconds: float
    spent: bool = True
    scope: Scope = "job"


@dataclass(frozen=True, slots=True)
class Bury:
    """End the job: it is failed. ``why`` says what of the task's policy decided that; empty where nothing of it did."""

    why: str = ""


Judgement = Again | Bury

BURY: Final = Bury()


class TimeLimit(TimeoutError):
    """The attempt took longer than it may. What a task says of ``TimeoutError`` holds for it."""

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


def judge(
    error: BaseException, *, attempt: int, retries: Retries, chance: float, attempts: int | None = None,
    elapsed: float = 0.0, advice: Verdict | None = None, paused: Collection[Scope] = (),
) -> Judgement:  # fmt: skip
    """What follows from ``error`` in attempt number ``attempt`` (from 1) of a task with ``retries``. Never raises.

    ``attempts`` is the job's own number, where it has one; ``elapsed`` are the seconds since its first attempt began;
    ``advice`` is what the task's ``on_error`` says of the error; ``paused`` are the scopes that a retry of this job may
    pause. Only the true type of the error counts: asking the error itself runs code of the handler's program. A verdict
    whose time to wait is unusable (``unusable`` says why) is judged as any other error.
    """
    said = error if advice is None else advice
    kind, asked = type(said), _asked(said)
    scope = _scope(said) if issubclass(kind, Retry) else "job"
    if scope not in paused:
        scope = "job"
    if scope != "job" and asked is None:
        asked = _backed_off(retries.backoff, attempt, chance)
    if isinstance(asked, float) and (issubclass(kind, Snooze) or scope != "job"):
        return Again(_clamped(asked), spent=False, scope=scope)
    if issubclass(kind, _HOPELESS):
        return BURY if advice is None else Bury(f"on_error says: {advice}")
    decided = issubclass(kind, Retry | Snooze)
    rule = THE_TASKS if decided else retries.rule(kind)
    if isinstance(rule, str):
        return Bury(rule)
    if attempt >= (attempts or rule.attempts or retries.attempts):
        return BURY
    if issubclass(kind, Retry) and isinstance(asked, float):
        wait = _clamped(asked)
    else:
        wait = _clamped(_backed_off(rule.backoff or retries.backoff, attempt, chance))
    if retries.give_up_after is not None and elapsed + wait > retries.give_up_after:
        return Bury(f"the next attempt would begin after give_up_after={retries.give_up_after:g} s")
    return Again(wait)


def decides_itself(error: BaseException) -> bool:
    """Whether what follows from the error needs no policy: a verdict, or an error after which no attempt can help."""
    return issubclass(type(error), (Verdict, *_HOPELESS))


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


def _scope(error: BaseException) -> Scope:
    """What a ``Retry`` lets wait; that of a subclass may be anything."""
    try:
        scope = error.scope  # type: ignore[attr-defined]
        return next(each for each in SCOPES if scope == each)
    except BaseException:  # code of the handler's program
        return "job"


def _backed_off(backoff: Backoff, failures: int, chance: float) -> float:
    try:
        return float(backoff.seconds(failures, chance))
    except Exception:  # a subclass of the program's own: the job is retried all the same
        return Backoff().seconds(failures, chance)


def _clamped(seconds: float) -> float:
    """Between 0 and the longest wait; what is not a number counts as 0."""
    return min(seconds, LONGEST_WAIT) if seconds > 0 else 0.0
