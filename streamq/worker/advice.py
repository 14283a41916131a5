"""Advice: what a task's ``on_error`` says of an error, before the judge."""

from __future__ import annotations

from collections.abc import Callable

from streamq.context import Context
from streamq.model.judge import decides_itself
from streamq.model.shown import as_given
from streamq.verdicts import Fail, Retry, Verdict
from streamq.worker import attempt_lines
from streamq.worker.attempt import Attempt
from streamq.worker.description import describe

WANTED = "return None, Retry(…), Fail(…), Snooze(…), or a duration after which to retry"


def advice_on(attempt: Attempt, error: BaseException, context: Callable[[], Context]) -> Verdict | None:
    """What the task's hook says of the error; ``None`` where it says nothing. Never raises.

    Verdicts, and errors after which no attempt can help, are not asked about: they are decided.
    """
    hook = attempt.task and attempt.task.on_error
    if hook is None or decides_itself(error):
        return None
    try:
        return _verdict(hook(error, context()))
    except BaseException as fault:  # code of the handler's program
        attempt_lines.say(attempt, attempt_lines.no_advice(fault))
        return None


def _verdict(said: object) -> Verdict | None:
    if said is None:
        return None
    if isinstance(said, Fail):
        return Fail(describe(said, traced=False).message)
    if isinstance(said, Verdict):
        return said
    try:
        return Retry(after=said)  # type: ignore[arg-type]  # it raises for what is no duration
    except ValueError as error:
        raise TypeError(f"{as_given(said)} is no advice ({error}): {WANTED}") from None
