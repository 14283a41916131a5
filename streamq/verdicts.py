"""Verdicts: what a handler may raise to decide the fate of its attempt."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal, get_args

from streamq.durations import LONGEST_WAIT, Duration, seconds_of

Scope = Literal["job", "group", "tenant", "shared"]
"""What a retry lets wait: the job alone, its group, the first level of that, or what draws from its shared limits."""
SCOPES: Final = get_args(Scope)


class Verdict(Exception):
    """What a handler may raise to decide the fate of its attempt; not an error."""


def _wait(duration: Duration) -> float:
    if isinstance(duration, int | float) and duration < 0:
        return 0.0  # a computed time in the past means at once
    if isinstance(duration, timedelta) and duration < timedelta():
        return 0.0
    seconds = seconds_of(duration)
    if seconds > LONGEST_WAIT:
        raise ValueError(f"{seconds:g} seconds is not a time to wait: use at most {LONGEST_WAIT:g} seconds")
    return seconds


class Retry(Verdict):
    """Run the job again after ``after`` seconds (default: the task's backoff). Spends an attempt.

    ``after`` may be text too, such as ``"30s"`` or ``"5m"``, or a ``timedelta``. With ``scope="group"`` no job of the
    job's group starts before, on no worker, this one is the first of them then, and no attempt is spent: so a provider
    is obeyed that says 429 and when to come back. ``scope="tenant"`` means the first level of its group, and
    ``scope="shared"`` what draws from the shared limits from which this job draws, in all queues. A job without a
    group, or without a shared limit, is retried as ever. Raises ``ValueError`` for more than a year, and for what is no
    duration or no scope.
    """

    after: float | None = None
    """Seconds to wait; ``None`` leaves it to the task's backoff, also in a subclass that does not say."""

    scope: Scope = "job"
    """What waits for so long."""

    def __init__(self, reason: str = "", *, after: Duration | None = None, scope: Scope = "job") -> None:
        if scope not in SCOPES:
            raise ValueError(f"scope={scope!r} is not possible: use one of {', '.join(SCOPES)}")
        self.after, self.scope = None if after is None else _wait(after), scope
        super().__init__(reason or "the handler asked for a retry")


class Fail(Verdict):
    """End the job as ``failed`` now, whatever attempts are left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Snooze(Verdict):
    """Run the job again after ``seconds``, without spending an attempt.

    ``seconds`` may be text too, such as ``"30s"`` or ``"5m"``, or a ``timedelta``.
    Raises ``ValueError`` for more than a year, and for what is no duration.
    A subclass passes its ``seconds`` to ``super().__init__``: without them it is a failed attempt like any other error.
    """

    seconds: float

    def __init__(self, seconds: Duration, reason: str = "") -> None:
        self.seconds = _wait(seconds)
        super().__init__(reason or f"snoozed for {self.seconds:g} s")
