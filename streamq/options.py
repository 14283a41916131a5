"""The options of a job and of a task, each in one row: what may be given, how it travels, and what people read of it.

From the rows come the checks, the headers of a job, the flags of ``streamq job enqueue``, the fields of the body over
HTTP and the reference. ``EnqueueOptions`` repeats the names for type checkers, which read no table; a test keeps the
two equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypedDict, get_args

from streamq.durations import FORMS, Duration, seconds_of
from streamq.errors import LONGEST_WAIT, ConfigurationError, UsageError, meant
from streamq.model import due
from streamq.model.clock import to_ms
from streamq.model.durability import Durability
from streamq.model.headers import pack_headers
from streamq.model.judge import Backoff
from streamq.model.keys import Keys
from streamq.model.shown import as_given

Form = Literal["duration", "time", "whole number", "choice", "text"]


class EnqueueOptions(TypedDict, total=False):
    """What may be said of a job beside its payload; each overrides its task's or its app's."""

    delay: Duration | None
    at: datetime | None
    attempts: int | None
    timeout: Duration | None
    durability: Durability | None


@dataclass(frozen=True, slots=True)
class Option:
    """An option of enqueue."""

    name: str
    form: Form
    """What it is: a ``duration``, a ``time``, a ``whole number``, a ``choice`` or a ``text``."""
    help: str
    """A sentence for people."""
    low: float = 0
    """The least that is allowed: seconds, a number, or characters of a text."""
    high: float = math.inf
    """The most that is allowed, in the same unit."""
    above: bool = False
    """Whether ``low`` itself is not allowed."""
    choices: tuple[str, ...] = ()
    """The values of a choice."""
    header: str | None = None
    """The header of the job that carries it, if one does."""

    def wrong(self, value: Any) -> str:
        """What is wrong with a value, as a sentence; empty when nothing is."""
        allowed = _CHECKS[self.form](self, value)
        return f"{self.name}={as_given(value)} is not possible: {allowed}" if allowed else ""

    def carried(self, value: Any) -> Any:
        """A value that is allowed as its header carries it."""
        return seconds_of(value) if self.form == "duration" and type(value) is not int else value


MOST_ATTEMPTS: Final = 1_000_000
"""More than any job needs, and far below the numbers that readers of JSON round."""

OPTIONS: Final[dict[str, Option]] = {
    option.name: option
    for option in (
        Option(
            "delay", "duration", "How long until it may run, such as 90 or 5m; `delay` or `at`, not both.",
            high=LONGEST_WAIT,
        ),
        Option("at", "time", "When it may run, as 2030-01-31T09:00:00Z; one in the past means at once."),
        Option(
            "attempts", "whole number", "How many attempts it may spend.",
            low=1, high=MOST_ATTEMPTS, header="attempts",
        ),
        Option(
            "timeout", "duration", "How long an attempt may take.",
            above=True, high=LONGEST_WAIT, header="timeout",
        ),
        Option(
            "durability", "choice", "How safe it must be before the call returns.",
            choices=get_args(Durability),
        ),
    )
}  # fmt: skip
"""The options of enqueue by name."""

RESERVED: Final[dict[str, Any]] = {
    "priority": "normal", "key": None, "unique": None, "group": None, "expires": None, "tags": None,
    "headers": None, "keep_result": None, "units": None, "after": None, "parent": None,
}  # fmt: skip
"""Names of options to come, which nothing else may have, each with the value that means the same as leaving it out.

HTTP bodies may hold that value.
"""

NAMES: Final = frozenset({*OPTIONS, *RESERVED})
"""Names that no field of a task may have."""

ALIKE: Final = 0.75
"""Similarity (``difflib``) from which an unknown field counts as a misspelt option: three letters in four match."""


# -- what is allowed --------------------------------------------------------------------------------------------


def _duration(option: Option, value: Any) -> str:
    try:
        seconds = seconds_of(value)
    except ValueError:
        seconds = math.nan
    if (option.low < seconds if option.above else option.low <= seconds) and seconds <= option.high:
        return ""
    low, high = f"{option.low:g}", f"{option.high / 86_400:.0f}d"
    bounds = f"above {low} and at most {high}" if option.above else f"from {low} to {high}"
    return f"it must be {bounds}; {FORMS}, or a timedelta"


def _time(_: Option, value: Any) -> str:
    if not isinstance(value, datetime):
        return "use an aware datetime, as datetime(2030, 1, 1, tzinfo=UTC)"
    try:
        if value.utcoffset() is None:
            return "it has no time zone: use an aware datetime, as datetime.now(UTC)"
        to_ms(value)
        return ""
    except Exception as error:  # code of the program's own time zone
        return f"its time zone cannot be read ({type(error).__name__}): use an aware datetime, as datetime.now(UTC)"


def _whole_number(option: Option, value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and option.low <= value <= option.high
    return "" if fits else f"use a whole number from {option.low:,g} to {int(option.high):,}"


def _choice(option: Option, value: Any) -> str:
    fits = isinstance(value, str) and value in option.choices
    return "" if fits else f"use one of {', '.join(option.choices)}"


def _text(option: Option, value: Any) -> str:
    fits = isinstance(value, str) and option.low <= len(value) <= option.high and "\n" not in value
    return (
        "" if fits and _encodable(value) else f"use {option.low:g} to {option.high:g} characters on one line"
    )


def _encodable(text: str) -> bool:
    """Without lone surrogates, which have no bytes in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: Final[Mapping[Form, Callable[[Option, Any], str]]] = {
    "duration": _duration, "time": _time, "whole number": _whole_number, "choice": _choice, "text": _text,
}  # fmt: skip
"""By form, a check: it returns what is allowed when a value is not, and an empty text when it is."""


# -- what app.task takes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Policy:
    """An argument of ``app.task``: what holds for all jobs of a task."""

    name: str
    default: Any
    wrong: Callable[[Any], str]
    """What is wrong with a value, as a sentence; empty when nothing is."""
    help: str
    """A sentence for people."""


_TASK_NAME: Final = Option("name", "text", "The name of a task.", low=1, high=200)


def wrong_task_name(name: Any) -> str:
    """What is wrong with the name of a task, as a sentence; empty when nothing is."""
    allowed = _text(_TASK_NAME, name)
    return f"{as_given(name)} cannot name a task: {allowed}" if allowed else ""


def _wrong_queue(queue: Any) -> str:
    try:
        Keys("", queue)
        return ""
    except ConfigurationError as error:
        return str(error)


def _wrong_backoff(backoff: Any) -> str:
    fits = isinstance(backoff, Backoff)
    return (
        ""
        if fits
        else f"backoff={as_given(backoff)} is not a Backoff: write backoff=Backoff(base=0.5, most=60)"
    )


POLICY: Final[Mapping[str, Policy]] = {
    policy.name: policy
    for policy in (
        Policy("name", None, wrong_task_name, "Its name, unique in the app; `None` is the handler's own."),
        Policy("queue", "default", _wrong_queue, "The queue of its jobs."),
        Policy("attempts", 5, OPTIONS["attempts"].wrong, "How many attempts a job may spend."),
        Policy("timeout", 300.0, OPTIONS["timeout"].wrong, "How long an attempt may take."),
        Policy("backoff", Backoff(), _wrong_backoff, "How long a job waits between two attempts."),
    )
}
"""The arguments of ``app.task`` by name."""


# -- what a call of enqueue says --------------------------------------------------------------------------------


class Terms(NamedTuple):
    """The options of an enqueue as they travel."""

    due: str
    """When the job is due, as ``New`` takes it."""
    headers: bytes
    durability: Durability | None


PLAIN: Final = Terms("", b"", None)
"""Without options, as most jobs are sent."""


def terms(task: str, given: Mapping[str, Any]) -> Terms:
    """The options that a call of enqueue gives. Raises ``UsageError``."""
    if not given:
        return PLAIN
    refuse(task, given.keys() - OPTIONS.keys(), OPTIONS)
    headers = {}
    for name, value in given.items():
        if value is not None:
            option = OPTIONS[name]
            if problem := option.wrong(value):
                raise UsageError(problem)
            if option.header is not None:
                headers[option.header] = option.carried(value)
    return Terms(
        _due(given.get("delay"), given.get("at")),
        pack_headers(headers) if headers else b"",
        given.get("durability"),
    )


def _due(delay: Any, at: Any) -> str:
    """When a job is due, as ``New`` takes it."""
    if at is not None:
        if delay is not None:
            raise UsageError("give delay or at, not both")
        return due.at(to_ms(at))
    soon = due.after(seconds_of(delay)) if delay else "0"
    return "" if soon == "0" else soon


def refuse(task: str, strange: Iterable[str], known: Iterable[str], more: str = "") -> None:
    """Raise ``UsageError`` for a name that enqueue does not know, with the one that may be meant, or with ``more``."""
    for name in sorted(strange):
        refuse_reserved(name)
        hint = meant(name, known, f"it takes {', '.join(sorted(known))}{more}")
        raise UsageError(f"{name!r} is not an argument of {task}.enqueue: {hint}")


def refuse_reserved(name: str) -> None:
    """Raise ``UsageError`` for the name of an option to come."""
    if name in RESERVED:
        raise UsageError(f"{name!r} is reserved for an option that is not available yet: leave it out")


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
