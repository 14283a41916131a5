"""Filters: which jobs are meant, in one language for Python, the command line and HTTP.

    state:failed task:send_sms age>1h attempts>=3 error:"timed out" payload.to="+49…" not (key:order-9 or crashes>0)

Terms side by side must all hold. A term is a field, what is compared, and a value; ``FIELDS`` has the fields. A filter
is evaluated on a job as onlookers see it, so what is masked in a job cannot be asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from streamq.model.group import tenant_of
from streamq.model.job_record import JobRecord
from streamq.model.states import State

Known = Mapping[str, str]
"""What is known of jobs before they are read: values by field."""


class FilterField(NamedTuple):
    """What a filter can ask of a job."""

    kind: str
    """``text``, ``words``, ``group``, ``choice``, ``number``, ``duration`` or ``json``: its values and comparisons."""
    meaning: str
    of: Callable[[JobRecord, datetime], Any]


def _since(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()


def _of_error(name: str) -> Callable[[JobRecord, datetime], Any]:
    return lambda job, _: getattr(job.error, name, None)


def _error(job: JobRecord, _: datetime) -> str | None:
    return f"{job.error.type}: {job.error.message}" if job.error else None


FIELDS: Final[Mapping[str, FilterField]] = {
    "state": FilterField("choice", "the state it is in", lambda job, _: job.state.value),
    "task": FilterField("text", "the name of its task", lambda job, _: job.task),
    "id": FilterField("text", "its id", lambda job, _: job.id),
    "key": FilterField("text", "its unique key", lambda job, _: job.key),
    "group": FilterField("group", "its group", lambda job, _: job.group),
    "priority": FilterField("text", "its priority", lambda job, _: job.priority),
    "worker": FilterField("text", "the worker that has it, or had it last", lambda job, _: job.worker),
    "schedule": FilterField("text", "the schedule that enqueued it", lambda job, _: job.schedule),
    "fingerprint": FilterField("text", "the group of failures it belongs to", _of_error("fingerprint")),
    "error": FilterField("words", "type and message of what went wrong last", _error),
    "error.type": FilterField("text", "the type of what went wrong last", _of_error("type")),
    "attempts": FilterField("number", "attempts begun", lambda job, _: job.attempt),
    "crashes": FilterField("number", "workers lost while it ran", lambda job, _: job.crashes),
    "version": FilterField("number", "how often it was changed", lambda job, _: job.version),
    "age": FilterField("duration", "time since it was created", lambda job, now: _since(job.created_at, now)),
    "ended": FilterField("duration", "time since its end", lambda job, now: _since(job.finished_at, now)),
    "ran": FilterField(
        "duration", "time from its last start to its end",
        lambda job, _: job.finished_at and _since(job.started_at, job.finished_at),
    ),
    "payload": FilterField("json", "its payload, or a member as `payload.to`", lambda job, _: job.payload),
    "result": FilterField("json", "its result, or a member as `result.count`", lambda job, _: job.result),
}  # fmt: skip
"""A new field is one more row."""

OPERATORS: Final[Mapping[str, tuple[str, ...]]] = {
    "choice": (":", "=", "!="), "text": (":", "=", "!=", "~"), "words": (":", "=", "!=", "~"),
    "group": (":", "=", "!=", "~"),
    "number": (":", "=", "!=", "<", "<=", ">", ">="), "duration": ("<", "<=", ">", ">="),
    "json": (":", "=", "!=", "~", "<", "<=", ">", ">="),
}  # fmt: skip
"""What can be compared, by the kind of the field."""

_ORDER: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


class Node(ABC):
    """A part of a filter."""

    __slots__ = ()

    @abstractmethod
    def matches(self, job: JobRecord, now: datetime) -> bool:
        """Whether the job is meant, at that time."""

    @abstractmethod
    def decides(self, known: Known) -> bool | None:
        """Whether jobs of which that much is known are meant; ``None`` where each must be read to know it."""

    def required(self, field: str) -> str | None:  # noqa: ARG002  # most parts require nothing
        """The one text that the field must have, where there is one; of a group it may be the tenant alone."""
        return None

    @abstractmethod
    def names(self, field: str) -> bool:
        """Whether it says anything of the field."""


@dataclass(frozen=True, slots=True)
class Term(Node):
    """One comparison. ``value`` is as its field's kind has it: text, a number, seconds, or several for JSON."""

    field: str
    path: tuple[str, ...]
    operator: str
    value: Any
    quoted: bool = False

    def matches(self, job: JobRecord, now: datetime) -> bool:
        found = FIELDS[self.field].of(job, now)
        return self._holds(_member(found, self.path) if self.path else found)

    def decides(self, known: Known) -> bool | None:
        return self._holds(known[self.field]) if self.field in known else None

    def names(self, field: str) -> bool:
        return field == self.field

    def required(self, field: str) -> str | None:
        exact = self.operator == "=" or (self.operator == ":" and (self.quoted or "*" not in self.value))
        is_it = field == self.field and FIELDS[field].kind in ("text", "choice", "group") and exact
        return self.value if is_it else None

    def _holds(self, found: Any) -> bool:
        if self.path and isinstance(found, list):  # one of its members is meant, and with `!=` all of them
            some = (self._holds(each) for each in found)
            return all(some) if self.operator == "!=" else any(some)
        if self.operator == "!=":
            return not self._equals(found)
        if found is None and FIELDS[self.field].kind != "json":
            return False
        if self.operator == "~" or (self.operator == ":" and FIELDS[self.field].kind == "words"):
            return isinstance(found, str) and str(self.value).casefold() in found.casefold()
        if self.operator in _ORDER:
            is_number = isinstance(found, int | float) and not isinstance(found, bool)
            return is_number and _ORDER[self.operator](found, self.value)
        return self._equals(found)

    def _equals(self, found: Any) -> bool:
        kind = FIELDS[self.field].kind
        if kind == "json":
            return any(type(found) is type(each) and found == each for each in self.value) or (
                _is_number(found) and any(_is_number(each) and found == each for each in self.value)
            )
        if kind in ("text", "group") and self.operator == ":" and not self.quoted and "*" in self.value:
            return isinstance(found, str) and _is_like(found, self.value)
        if kind == "group" and self.operator == ":" and isinstance(found, str) and ":" not in self.value:
            return tenant_of(found) == str(self.value)  # with all its parts
        return bool(found == self.value)


@dataclass(frozen=True, slots=True)
class Not(Node):
    """What its part does not mean."""

    part: Node

    def matches(self, job: JobRecord, now: datetime) -> bool:
        return not self.part.matches(job, now)

    def decides(self, known: Known) -> bool | None:
        decided = self.part.decides(known)
        return None if decided is None else not decided

    def names(self, field: str) -> bool:
        return self.part.names(field)


@dataclass(frozen=True, slots=True)
class All(Node):
    """What all of its parts mean."""

    parts: Sequence[Node]

    def matches(self, job: JobRecord, now: datetime) -> bool:
        return all(part.matches(job, now) for part in self.parts)

    def decides(self, known: Known) -> bool | None:
        decided = [part.decides(known) for part in self.parts]
        return False if False in decided else None if None in decided else True

    def names(self, field: str) -> bool:
        return any(part.names(field) for part in self.parts)

    def required(self, field: str) -> str | None:
        return next((text for part in self.parts if (text := part.required(field)) is not None), None)


@dataclass(frozen=True, slots=True)
class AnyOf(Node):
    """What any of its parts means."""

    parts: Sequence[Node]

    def matches(self, job: JobRecord, now: datetime) -> bool:
        return any(part.matches(job, now) for part in self.parts)

    def decides(self, known: Known) -> bool | None:
        decided = [part.decides(known) for part in self.parts]
        return True if True in decided else None if None in decided else False

    def names(self, field: str) -> bool:
        return any(part.names(field) for part in self.parts)


class Filter:
    """A filter that was read from its ``text``."""

    __slots__ = ("node", "text")

    def __init__(self, text: str, node: Node) -> None:
        self.text, self.node = text, node

    def __repr__(self) -> str:
        return f"<Filter {self.text!r}>"

    def matches(self, job: JobRecord, now: datetime) -> bool:
        """Whether the job is meant; ``now`` is what ages are counted to."""
        return self.node.matches(job, now)

    def decides(self, **known: str) -> bool | None:
        """Whether jobs of which that much is known are meant; ``None`` where each must be read to know it."""
        return self.node.decides(known)

    def required(self, field: str) -> str | None:
        """The one text that the field must have, where there is one."""
        return self.node.required(field)

    def states(self) -> Iterator[State]:
        """The states in which jobs may be that are meant."""
        return (state for state in State if self.decides(state=state.value) is not False)

    @property
    def names_states(self) -> bool:
        """Whether it says anything of the state."""
        return self.node.names("state")


def _member(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(value):
            value = value[int(name[:9])]
        else:
            return None
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_like(text: str, pattern: str) -> bool:
    """Whether it is a text in which ``*`` stands for any other. (Regular expressions would take for ever for some.)"""
    first, *others, last = pattern.split("*")
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in others:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
