"""The options of a job and of a task: their names and types, and what is allowed, each in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final, TypedDict

from streamq.durations import FORMS, Duration, as_given, seconds_of
from streamq.errors import LONGEST_WAIT, UsageError
from streamq.model.clock import to_ms
from streamq.model.envelope import pack_headers
from streamq.settings import Durability


class EnqueueOptions(TypedDict, total=False):
    """What may be said of a job beside its payload; each overrides its task's or its app's."""

    delay: Duration | None
    at: datetime | None
    attempts: int | None
    timeout: Duration | None
    durability: Durability | None


OPTIONS: Final = frozenset(EnqueueOptions.__annotations__)
"""Names that cannot be taken for anything else in a call of enqueue."""

MOST_ATTEMPTS: Final = 1_000_000
LONGEST_NAME: Final = 200
_LONGEST: Final = f"{LONGEST_WAIT / 86_400:.0f}d"
_DURABILITIES: Final = ("memory", "fsync", "replica")


def _attempts(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return "" if whole and 1 <= value <= MOST_ATTEMPTS else f"use a whole number from 1 to {MOST_ATTEMPTS:,}"


def _timeout(value: Any) -> str:
    return "" if 0 < _seconds(value) <= LONGEST_WAIT else (
        f"it must be above 0 and at most {_LONGEST}; {FORMS}, or a timedelta"
    )  # fmt: skip


def _delay(value: Any) -> str:
    return "" if 0 <= _seconds(value) <= LONGEST_WAIT else (
        f"it must be from 0 to {_LONGEST}; {FORMS}, or a timedelta"
    )  # fmt: skip


def _seconds(value: Any) -> float:
    try:
        return seconds_of(value)
    except ValueError:
        return math.nan


def _at(value: Any) -> str:
    if not isinstance(value, datetime):
        return "use an aware datetime, as datetime(2030, 1, 1, tzinfo=UTC)"
    try:
        if value.utcoffset() is None:
            return "it has no time zone: use an aware datetime, as datetime.now(UTC)"
        to_ms(value)
        return ""
    except Exception as error:  # code of the program's own time zone
        return f"its time zone cannot be read ({type(error).__name__}): use an aware datetime, as datetime.now(UTC)"


def _durability(value: Any) -> str:
    fits = isinstance(value, str) and value in _DURABILITIES
    return "" if fits else f"use one of {', '.join(_DURABILITIES)}"


def _task(value: Any) -> str:
    fits = isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and "\n" not in value
    return "" if fits and _encodable(value) else f"use 1 to {LONGEST_NAME} characters on one line"


def _encodable(text: str) -> bool:
    """Without lone surrogates, which have no bytes in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


CHECKS: Final[dict[str, Callable[[Any], str]]] = {
    "attempts": _attempts, "timeout": _timeout, "delay": _delay, "at": _at, "durability": _durability,
    "task": _task,
}  # fmt: skip
"""For each option what is wrong with a value, and what is allowed; empty when nothing is wrong."""


def wrong(name: str, value: Any) -> str:
    """What is wrong with the value of an option, as a sentence; empty when nothing is."""
    told = CHECKS[name](value)
    if not told:
        return ""
    shown = as_given(value)
    return (
        f"{shown} cannot name a task: {told}" if name == "task" else f"{name}={shown} is not possible: {told}"
    )


def check(**given: Any) -> None:
    """Raise ``UsageError`` for the first option that is given and not possible."""
    for name, value in given.items():
        if value is not None and (told := wrong(name, value)):
            raise UsageError(told)


def patience(timeout: Any) -> float | None:
    """The seconds that a result is waited for; ``None`` is without end, and what is over already is 0.

    Raises ``UsageError``.
    """
    if timeout is None:
        return None
    if isinstance(timeout, int | float) and -LONGEST_WAIT <= timeout < 0:
        return 0.0  # the rest of a time that has run out
    try:
        return seconds_of(timeout)
    except ValueError as error:
        raise UsageError(f"timeout={error}; None waits for as long as it takes") from None


def sent(task: str, given: Mapping[str, Any]) -> tuple[str, bytes]:
    """The options of an enqueue as they travel: when the job is due, and its headers. Raises ``UsageError``."""
    if not given:  # as most jobs are sent
        return "", b""
    refuse(task, given.keys() - OPTIONS, OPTIONS)
    check(**given)
    return _due(given.get("delay"), given.get("at")), _headers(given.get("attempts"), given.get("timeout"))


def _due(delay: Any, at: Any) -> str:
    """When a job is due, as the scripts take it: empty for now, ``+ms`` or ``=ms``."""
    if at is not None:
        if delay is not None:
            raise UsageError("give delay or at, not both")
        return f"={max(1, to_ms(at))}"  # 0 is how a held job is marked
    milliseconds = round(seconds_of(delay) * 1000) if delay else 0
    return f"+{milliseconds}" if milliseconds else ""


def _headers(attempts: Any, timeout: Any) -> bytes:
    if attempts is None and timeout is None:
        return b""
    seconds = timeout if timeout is None or type(timeout) is int else seconds_of(timeout)
    given = {"attempts": attempts, "timeout": seconds}
    return pack_headers({name: value for name, value in given.items() if value is not None})


def refuse(task: str, strange: Iterable[str], known: Iterable[str]) -> None:
    """Raise ``UsageError`` for a name that enqueue does not know, with the one that may be meant."""
    for name in sorted(strange):
        near = get_close_matches(name, sorted(known), 1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(known))}"
        raise UsageError(f"{name!r} is not an argument of {task}.enqueue: {hint}")


def resembles_an_option(name: str) -> bool:
    """Whether a name is likely a misspelt option."""
    return bool(get_close_matches(name, OPTIONS, 1, 0.75))
