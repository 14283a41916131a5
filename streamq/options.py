"""The options of a job and of a task, each in one row: what may be given, how it travels, and what people read of it.

From the rows come the checks, the headers of a job, the flags of ``streamq job enqueue``, the fields of the body over
HTTP and the reference. ``EnqueueOptions`` repeats the names for type checkers, which read no table; a test keeps the
two equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, TypedDict, get_args

from streamq.durations import FORMS, LONGEST_WAIT, Duration, seconds_of
from streamq.errors import UsageError, meant
from streamq.grouping import wrong_grouping
from streamq.hooks import wrong_hook
from streamq.model import due
from streamq.model.backoff import Backoff
from streamq.model.clock import to_ms
from streamq.model.durability import Durability
from streamq.model.group import FORM, LONGEST, is_group, may_name_group
from streamq.model.lanes import NORMAL, PRIORITIES
from streamq.model.limit import MOST, wrong_limit
from streamq.model.names import NAME_FORM, is_name
from streamq.model.retention import MOST as MOST_KEPT
from streamq.model.retention import Kept
from streamq.model.retries import MOST_ATTEMPTS, wrong_fail_on, wrong_retry_on
from streamq.model.segments import is_folded
from streamq.model.shown import as_given
from streamq.unique import KEY_LENGTH, WRITTEN, Unique

Form = Literal[
    "duration", "time", "moment", "whole number", "choice", "text", "group", "known group", "unique"
]
Priority = Literal["critical", "high", "normal", "low"]


class EnqueueOptions(TypedDict, total=False):
    """What may be said of a job beside its payload; each overrides its task's or its app's."""

    delay: Duration | None
    at: datetime | None
    attempts: int | None
    timeout: Duration | None
    durability: Durability | None
    priority: Priority | None
    key: str | None
    unique: Unique | None
    group: str | None
    units: int | None
    expires: Duration | datetime | None
    payload_version: int | None
    keep_result: Duration | None


@dataclass(frozen=True, slots=True)
class Option:
    """An option of enqueue."""

    name: str
    form: Form
    """What it is: a ``duration``, a ``time``, a ``moment`` (either), a ``whole number``, a ``choice``, a ``text``, a
    ``group``, a ``known group``, which jobs may have had for long, or ``unique``."""
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
    default: Any = None
    """A value that says the same as leaving it out, beside ``None``."""

    def wrong(self, value: Any) -> str:
        """What is wrong with a value, as a sentence; empty when nothing is."""
        allowed = _CHECKS[self.form](self, value)
        return f"{self.name}={as_given(value)} is not possible: {allowed}" if allowed else ""

    def carried(self, value: Any) -> Any:
        """A value that is allowed as its header carries it."""
        if self.form == "moment":
            return due.at(to_ms(value)) if isinstance(value, datetime) else due.after(seconds_of(value))
        return seconds_of(value) if self.form == "duration" and type(value) is not int else value


MOST_VERSIONS: Final = 1_000_000
"""More than any payload has."""

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
        Option(
            "priority", "choice", "How urgent it is beside the other jobs of its queue.",
            choices=PRIORITIES, header="priority", default=NORMAL,
        ),
        Option(
            "key", "text", "Its unique key: while a job that has it is not done, no other is made.",
            low=1, high=KEY_LENGTH, header="key",
        ),
        Option("unique", "unique", "How jobs of one key are one; overrides the task's."),
        Option(
            "group", "group", "Its group, such as 66338 or 66338:contact-9, whose limits and turns apply to it.",
            low=1, high=LONGEST, header="group",
        ),
        Option(
            "units", "whole number", "How many units it draws of the shared limits of its queue and its task.",
            low=1, high=MOST, header="units", default=1,
        ),
        Option(
            "expires", "moment", "How long after its birth, or until when, it may start; then it ends as expired.",
            above=True, high=LONGEST_WAIT, header="expires",
        ),
        Option(
            "payload_version", "whole number", "The version of its payload, where the task is not known.",
            low=1, high=MOST_VERSIONS, header="payload_version",
        ),
        Option(
            "keep_result", "duration", "How long its result is kept, at most as long as its record; 0 keeps none.",
            high=LONGEST_WAIT, header="keep_result",
        ),
    )
}  # fmt: skip
"""The options of enqueue by name."""

RESERVED: Final[dict[str, Any]] = dict.fromkeys(("tags", "headers", "after", "parent"))
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
    said = f"use {option.low:g} to {option.high:g} characters on one line"
    return "" if fits and _encodable(value) else said


REASON: Final = 500
"""Characters at most of a reason, and of the name of who acts: they are shown on one line."""


def line(name: str, text: Any) -> str:
    """A reason, or who acts. Raises ``UsageError`` for what is not one line of up to ``REASON`` characters."""
    if problem := Option(name, "text", "", high=REASON).wrong(text):
        raise UsageError(problem)
    return str(text)


def _encodable(text: str) -> bool:
    """Without lone surrogates, which have no bytes in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _moment(option: Option, value: Any) -> str:
    return _time(option, value) if isinstance(value, datetime) else _duration(option, value)


_CHECKS: Final[Mapping[Form, Callable[[Option, Any], str]]] = {
    "duration": _duration, "time": _time, "moment": _moment, "whole number": _whole_number, "choice": _choice,
    "text": _text, "group": lambda _, value: "" if may_name_group(value) else FORM,
    "known group": lambda _, value: "" if is_group(value) else FORM,
    "unique": lambda _, value: "" if isinstance(value, Unique) else WRITTEN,
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


def wrong_task_name(name: Any, *, is_new: bool = True) -> str:
    """What is wrong with the name of a task, as a sentence; empty when nothing is. A path holds one that ``is_new``."""
    allowed = _text(_TASK_NAME, name) if isinstance(name, str) else "give its name, as text"
    if not allowed and is_new and is_folded(name):
        allowed = "use one that is not '.' or '..', nor has it between slashes: it stands in paths"
    return f"{as_given(name)} cannot name a task: {allowed}" if allowed else ""


def wrong_queue(queue: Any) -> str:
    """What is wrong with the name of a queue, as a sentence; empty when nothing is."""
    return "" if is_name(queue) else f"{as_given(queue)} cannot name a queue: {NAME_FORM}"


def _wrong_backoff(backoff: Any) -> str:
    said = f"backoff={as_given(backoff)} is not a Backoff: write backoff=Backoff(base=0.5, most=60)"
    return "" if isinstance(backoff, Backoff) else said


_GIVE_UP_AFTER: Final = Option(
    "give_up_after", "duration", "For how long a job is retried.", above=True, high=LONGEST_WAIT
)


def _wrong_aliases(aliases: Any) -> str:
    if isinstance(aliases, str) or not isinstance(aliases, Collection):
        return f'aliases={as_given(aliases)} is not possible: write names, as ("old_name",)'
    return next((f"in aliases {problem}" for each in aliases if (problem := wrong_task_name(each))), "")


def _wrong_flag(name: str) -> Callable[[Any], str]:
    return lambda value: (
        "" if isinstance(value, bool) else f"{name}={as_given(value)} is not possible: use True or False"
    )


def _wrong_on_failed(name: Any) -> str:
    return "" if name is None else wrong_task_name(name)


LONGEST_KEPT: Final = 10 * LONGEST_WAIT
"""Seconds that a record may be kept: ten years. What is to stay for ever belongs into a database."""
KEEPING: Final[Mapping[str, Option]] = {
    option.name: option
    for option in (
        Option("completed", "whole number", "How many records of completed jobs are kept.", high=MOST_KEPT),
        Option(
            "completed_for", "duration", "For how long each of these is kept.", above=True, high=LONGEST_KEPT
        ),
        Option(
            "failed", "whole number", "How many records are kept of failed, of cancelled, and of expired jobs.",
            high=MOST_KEPT,
        ),
        Option("failed_for", "duration", "For how long each of these is kept.", above=True, high=LONGEST_KEPT),
    )
}  # fmt: skip
"""What says how many records are kept, of a queue or of a task; ``keep_…`` in the arguments of ``app.task``."""


def kept_of(given: Mapping[str, Any]) -> Kept:
    """The retention that these values say, which are allowed."""
    said: dict[str, Any] = {
        name: seconds_of(value) if name.endswith("_for") and value is not None else value
        for name, value in given.items()
    }
    return Kept(**said)


POLICY: Final[Mapping[str, Policy]] = {
    policy.name: policy
    for policy in (
        Policy("name", None, wrong_task_name, "Its name, unique in the app; `None` is the handler's own."),
        Policy("queue", "default", wrong_queue, "The queue of its jobs."),
        Policy("attempts", 5, OPTIONS["attempts"].wrong, "How many attempts a job may spend."),
        Policy("timeout", 300.0, OPTIONS["timeout"].wrong, "How long an attempt may take."),
        Policy("backoff", Backoff(), _wrong_backoff, "How long a job waits between two attempts."),
        Policy(
            "unique", None, lambda value: "" if value is None else OPTIONS["unique"].wrong(value),
            "How its jobs are one.",
        ),
        Policy(
            "retry_on", None, wrong_retry_on,
            "The types of errors that are retried, alone or with a `Backoff` or a `RetryPolicy` each; "
            "`None` is all of them.",
        ),
        Policy("fail_on", None, wrong_fail_on, "Types of errors that end a job at once."),
        Policy(
            "give_up_after", None, _GIVE_UP_AFTER.wrong,
            "In how long from the start of its first attempt the last one must begin.",
        ),
        Policy(
            "on_error", None, wrong_hook("on_error", "def on_error(error, ctx)"),
            "A plain function that is asked about an error before the policy is.",
        ),
        Policy(
            "on_failed", None, _wrong_on_failed,
            "The name of a task of which a job is enqueued, in the same queue, when one of these has failed for good.",
        ),
        Policy(
            "version", 1, Option("version", "whole number", "", low=1, high=MOST_VERSIONS).wrong,
            "The version of its payload, as a whole number.",
        ),
        Policy(
            "upgrade", None, wrong_hook("upgrade", "def upgrade(payload, from_version)"),
            "A plain function that makes of an older payload, as JSON has it, one of this version.",
        ),
        Policy("aliases", (), _wrong_aliases, "Names that the task had before: jobs under them are its own."),
        *[
            Policy(f"keep_{name}", None, replace(option, name=f"keep_{name}").wrong, option.help)
            for name, option in KEEPING.items()
        ],
        Policy(
            "keep_result", None, lambda value: "" if value is None else OPTIONS["keep_result"].wrong(value),
            "How long the results of its jobs are kept; `None` is as long as their records, 0 keeps none.",
        ),
        Policy("group", None, wrong_grouping, "What makes the group of a job of its payload."),
        Policy("limit", None, wrong_limit, "How many of its jobs run at once and start in a time, as a `Limit`."),
        Policy(
            "capture_logs", False, _wrong_flag("capture_logs"),
            "Whether what its handler logs with standard logging becomes lines of the job's log too.",
        ),
    )
}  # fmt: skip
"""The arguments of ``app.task`` by name."""


# -- names that are no options ---------------------------------------------------------------------------------


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
