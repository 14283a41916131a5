"""A task's policy of retries: which errors are retried, how often, after how long, and for how long in all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from streamq.durations import seconds_of
from streamq.errors import InvalidPayload
from streamq.model.backoff import Backoff
from streamq.model.shown import as_given
from streamq.verdicts import Verdict

ErrorTypes = type[BaseException] | Collection[type[BaseException]]
"""One type of errors, or several; a type stands for those derived from it too."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How errors of one type are retried. What is ``None`` is the task's."""

    attempts: int | None = None
    """How many attempts a job may have spent when such an error is its last."""
    backoff: Backoff | None = None


RetryOn = ErrorTypes | Mapping[type[BaseException], Backoff | RetryPolicy]
"""Types of errors that are retried; with a ``Backoff`` or a ``RetryPolicy`` each where it is a mapping."""

THE_TASKS: Final = RetryPolicy()
MOST_ATTEMPTS: Final = 1_000_000
"""More than any job needs, and far below the numbers that readers of JSON round."""


@dataclass(frozen=True, slots=True)
class Retries:
    """What a task says of retries."""

    attempts: int = 5
    backoff: Backoff = field(default_factory=Backoff)
    retry_on: Mapping[type, RetryPolicy] | None = None
    """By type; any other error ends the job. ``None``: all are retried."""
    fail_on: frozenset[type] = frozenset()
    give_up_after: float | None = None
    """Seconds from the start of the first attempt in which the last one must begin."""

    def attempts_at(self, attempt: int) -> int:
        """How many attempts a job may spend that has come to this one, as it is told.

        Those of the task, until an error whose type has more of its own has led beyond them.
        """
        if attempt <= self.attempts:
            return self.attempts
        return max(self.attempts, *(rule.attempts or 0 for rule in (self.retry_on or {}).values()), 0)

    def rule(self, kind: type[BaseException]) -> RetryPolicy | str:
        """How errors of this type are retried, or why they are not: the nearest type that is named decides."""
        for each in type.mro(kind):
            if each in self.fail_on:
                return f"fail_on names {each.__name__}"
            if self.retry_on is not None and each in self.retry_on:
                return self.retry_on[each]
        return THE_TASKS if self.retry_on is None else "retry_on does not name it"


def wrong_retry_on(retry_on: Any) -> str:
    """What is wrong with a value of ``retry_on``, as a sentence; empty when nothing is."""
    return _wrong("retry_on", retry_on, rules_of)


def wrong_fail_on(fail_on: Any) -> str:
    """The same of ``fail_on``."""
    return _wrong("fail_on", fail_on, types_of)


def _wrong(name: str, value: Any, read: Callable[[Any], object]) -> str:
    try:
        read(value)
    except ValueError as error:
        return f"{name}={as_given(value)} is not possible: {error}"
    return ""


def rules_of(retry_on: Any) -> dict[type, RetryPolicy]:
    """What ``retry_on`` says, by type. Raises ``ValueError`` with what is wrong in it."""
    if not isinstance(retry_on, Mapping):
        return dict.fromkeys(types_of(retry_on), THE_TASKS)
    types_of(retry_on)
    return {kind: _rule(kind, said) for kind, said in retry_on.items()}


def _rule(kind: type, said: Any) -> RetryPolicy:
    rule = RetryPolicy(backoff=said) if isinstance(said, Backoff) else said
    if isinstance(rule, RetryPolicy) and isinstance(rule.backoff, Backoff | None):
        if rule.attempts is None or (type(rule.attempts) is int and 1 <= rule.attempts <= MOST_ATTEMPTS):
            return rule
        raise ValueError(f"attempts of a RetryPolicy are a whole number from 1 to {MOST_ATTEMPTS:,}")
    raise ValueError(f"for {kind.__name__} write a Backoff(…), or RetryPolicy(attempts=…, backoff=…)")


def types_of(said: Any) -> frozenset[type]:
    """The types of errors that are named. Raises ``ValueError``."""
    types = said if isinstance(said, Collection) and not isinstance(said, type) else (said,)
    found = []
    for each in types:
        if not (isinstance(each, type) and issubclass(each, BaseException)):
            raise ValueError("name types of exceptions, as TimeoutError or (TimeoutError, OSError)")  # noqa: TRY004
        if issubclass(each, (Verdict, InvalidPayload)):
            raise ValueError(f"{each.__name__} decides by itself: name other types of exceptions")  # noqa: TRY004
        found.append(each)
    if not found:
        raise ValueError("name one type of exceptions at least")
    return frozenset(found)


def retries_of(
    attempts: int, *, backoff: Backoff, retry_on: Any, fail_on: Any, give_up_after: Any
) -> Retries:
    """The arguments of ``app.task`` as one. Raises ``ValueError`` with what is wrong in them together."""
    rules = None if retry_on is None else rules_of(retry_on)
    failing = frozenset[type]() if fail_on is None else types_of(fail_on)
    for each in failing.intersection(rules or ()):
        raise ValueError(f"{each.__name__} is in retry_on and in fail_on: name it in one of them")
    limit = None if give_up_after is None else seconds_of(give_up_after)
    return Retries(attempts, backoff, rules, failing, limit)
