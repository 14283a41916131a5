"""The line of the log for each attempt, in words of its own for each way to end.

``send-sms 1795478790207-0 attempt 1/5 completed in 12 ms``, and the fields of ``logs.FIELDS`` with it: at ``info`` what
completed or runs again, at ``error`` a job that has failed for good, with its traceback; at ``debug`` each start, and
the traceback of what runs again. Whoever calls has asked whether that level is logged: most attempts cost that question
and nothing more.
"""

from __future__ import annotations

import logging
from typing import Final

from streamq.errors import Fail, InvalidPayload, Retry
from streamq.job_lines import ExcInfo, log, tell
from streamq.model.judge import ResultNotStorable, TimeLimit
from streamq.model.shown import shown
from streamq.worker.attempt import Attempt
from streamq.worker.description import Description, frames_of, one_line

_NO_REASON: Final = str(Retry())


def started(attempt: Attempt) -> None:
    """It begins."""
    say(logging.DEBUG, attempt, "starts")


def completed(attempt: Attempt, seconds: float) -> None:
    """Its outcome is on its way to the server."""
    said = f"completed in {span(seconds)}"
    say(logging.INFO, attempt, said, outcome="completed", duration_ms=_ms(seconds))


def snoozed(attempt: Attempt, wait: float) -> None:
    """Its handler raised ``Snooze``: the attempt is not charged."""
    if log.isEnabledFor(logging.INFO):
        said = f"asks for a snooze after {span(attempt.seconds)}; again in {span(wait)}"
        say(
            logging.INFO, attempt, said, outcome="snoozed", duration_ms=_ms(attempt.seconds), retry_in_s=round(wait, 3)
        )  # fmt: skip


def again(attempt: Attempt, error: BaseException, described: Description, wait: float) -> None:
    """It failed, and attempts are left."""
    if log.isEnabledFor(logging.INFO):
        said = f"{_words(attempt, error, described)}; again in {span(wait)}"
        say(
            logging.INFO, attempt, said, outcome="retry", duration_ms=_ms(attempt.seconds), retry_in_s=round(wait, 3),
            error=str(described),
        )  # fmt: skip
    if log.isEnabledFor(logging.DEBUG):
        say(logging.DEBUG, attempt, "was ended by this error:", _exc_info(error))


def failed(attempt: Attempt, error: BaseException, described: Description) -> None:
    """Its job is failed. The record has the exception itself, its traceback from the handler on."""
    if log.isEnabledFor(logging.ERROR):
        said = f"{_words(attempt, error, described)}; the job has failed for good"
        say(
            logging.ERROR, attempt, said, _exc_info(error), outcome="failed", duration_ms=_ms(attempt.seconds),
            error=str(described),
        )  # fmt: skip


def interrupted(attempt: Attempt) -> None:
    """The worker stops, and the handler did not end within the grace."""
    if log.isEnabledFor(logging.DEBUG):
        said = f"is interrupted by the end of the worker after {span(attempt.seconds)}"
        say(logging.DEBUG, attempt, said, outcome="given_back", duration_ms=_ms(attempt.seconds))


def say(level: int, attempt: Attempt, said: str, exc_info: ExcInfo | None = None, **fields: object) -> None:
    """One line for an attempt. Never raises: a fault in somebody's logging is no fault of the job's."""
    told = attempt.fields()
    name = shown(attempt.delivery.task, 100)
    message = f"{name} {told['job']} attempt {told['attempt']}/{told['attempts']} {said}"
    told.update(fields)
    tell(level, message, exc_info, **told)


def _words(attempt: Attempt, error: BaseException, described: Description) -> str:
    """What happened, by the true type of the error alone: asking the error itself runs code of the program."""
    kind, took = type(error), span(attempt.seconds)
    said = shown(one_line(described.message))
    if issubclass(kind, TimeLimit):
        return f"ran out of time: {said}"
    if issubclass(kind, InvalidPayload):
        return f"could not be run: {said}"
    if issubclass(kind, ResultNotStorable):
        return f"ended after {took} with a result that cannot be stored: {said}"
    if issubclass(kind, Fail):
        return f"gave up after {took}: {said}" if said else f"gave up after {took}"
    if issubclass(kind, Retry):
        asks = f"asks for a retry after {took}"
        return asks if said in ("", _NO_REASON) else f"{asks}: {said}"
    return f"failed after {took}: {shown(str(described))}"


def _exc_info(error: BaseException) -> ExcInfo:
    return type(error), error, frames_of(error)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def span(seconds: float) -> str:
    """``0.4 ms``, ``12 ms``, ``1.5 s``, ``90 s``."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
