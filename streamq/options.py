"""The options of a job and of a task, each checked in one place, where it is given."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime, timedelta
from typing import Any, Final

from streamq.clock import to_ms, to_seconds
from streamq.envelope import pack_headers
from streamq.errors import LONGEST_WAIT, UsageError

MOST_ATTEMPTS: Final = 1_000_000
LONGEST_NAME: Final = 200
_DURABILITIES: Final = ("memory", "fsync", "replica")


def _attempts(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return "" if whole and 1 <= value <= MOST_ATTEMPTS else f"use a whole number from 1 to {MOST_ATTEMPTS:,}"


def _timeout(value: Any) -> str:
    return "" if _number(value) and 0 < value <= LONGEST_WAIT else (
        f"use a number of seconds above 0, at most {LONGEST_WAIT:,.0f}"
    )  # fmt: skip


def _delay(value: Any) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    return "" if _number(seconds) and 0 <= seconds <= LONGEST_WAIT else (
        f"use 0 to {LONGEST_WAIT:.0f} seconds, or a timedelta"
    )  # fmt: skip


def _at(value: Any) -> str:
    if not isinstance(value, datetime):
        return "use an aware datetime"
    return (
        ""
        if value.utcoffset() is not None
        else "it has no time zone: use an aware datetime, as datetime.now(UTC)"
    )


def _durability(value: Any) -> str:
    return "" if value in _DURABILITIES else f"use one of {', '.join(_DURABILITIES)}"


def _task(value: Any) -> str:
    fits = isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME and "\n" not in value
    return "" if fits and _encodable(value) else f"use 1 to {LONGEST_NAME} characters on one line"


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


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
    shown = repr(value) if _short(value) else f"<{type(value).__name__}>"
    return (
        f"{shown} cannot name a task: {told}" if name == "task" else f"{name}={shown} is not possible: {told}"
    )


def _short(value: Any) -> bool:
    """Whether it can be shown: Python refuses to write a number of more than 4,300 digits."""
    return not isinstance(value, int) or value.bit_length() < 1_000


def check(**given: Any) -> None:
    """Raise ``UsageError`` for the first option that is given and not possible."""
    for name, value in given.items():
        if value is not None and (told := wrong(name, value)):
            raise UsageError(told)


def sent(
    task: str, known: Container[str], delay: float | timedelta | None, at: datetime | None, attempts: int | None,
    timeout: float | None, durability: str | None,
) -> tuple[str, bytes]:  # fmt: skip
    """The options of an enqueue as they travel: when the job is due, and its headers. Raises ``UsageError``.

    The name of a task that is ``known`` was checked when the task was declared.
    """
    if (type(task) is not str or task not in known) and (told := wrong("task", task)):
        raise UsageError(told)
    if durability is not None:
        check(durability=durability)
    if delay is None and at is None and attempts is None and timeout is None:  # as most jobs are sent
        return "", b""
    return _due(delay, at), _headers(attempts, timeout)


def _due(delay: float | timedelta | None, at: datetime | None) -> str:
    """When a job is due, as the scripts take it: empty for now, ``+ms`` or ``=ms``."""
    if delay is None and at is None:
        return ""
    check(delay=delay, at=at)
    if at is not None:
        if delay is not None:
            raise UsageError("give delay or at, not both")
        return f"={max(1, to_ms(at))}"  # 0 is how a held job is marked
    milliseconds = round(to_seconds(delay) * 1000) if delay else 0
    return f"+{milliseconds}" if milliseconds else ""


def _headers(attempts: int | None, timeout: float | None) -> bytes:
    if attempts is None and timeout is None:
        return b""
    check(attempts=attempts, timeout=timeout)
    given = {"attempts": attempts, "timeout": timeout}
    return pack_headers({name: value for name, value in given.items() if value is not None})
