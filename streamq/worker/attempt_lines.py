"""The line of the log for each attempt, in words of its own for each way to end.

``send-sms 1795478790207-0 attempt 1/5 completed in 12 ms``, and the fields of ``logs.FIELDS`` with it: at ``info`` what
completed or runs again, at ``error`` a job that has failed for good, with its traceback; at ``debug`` each start, and
the traceback of what runs again. Whoever calls has asked whether that level is logged: most attempts cost that question
and nothing more.
"""

from __future__ import annotations

import logging
from os import register_at_fork
from threading import get_ident
from types import TracebackType
from typing import Any, Final

from streamq.clock import stamp
from streamq.errors import Fail, InvalidPayload, Retry
from streamq.logs import Console, StandardError
from streamq.retry import ResultNotStorable, TimeLimit
from streamq.shown import shown
from streamq.worker.attempt import Attempt
from streamq.worker.description import Description, frames_of, one_line

_NO_REASON: Final = str(Retry())

log: Final = logging.getLogger("streamq.job")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


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
    _log(level, message, exc_info, told)


def tell(level: int, message: str, exc_info: ExcInfo | None = None, **fields: object) -> None:
    """The same for a job that is not run here. The message is one line that may be shown."""
    _log(level, message, exc_info, fields)


def _log(level: int, message: str, exc_info: ExcInfo | None, fields: dict[str, object]) -> None:
    try:
        log.handle(_record(level, message, exc_info, fields))
    except Exception as fault:  # raised by a filter, a handler or a factory of the program's
        told = "this line could not be logged: " + message
        _own.handle(logging.LogRecord(log.name, logging.ERROR, __file__, 0, told, (), _exc_info(fault)))


_own: Final = StandardError()
_own.setFormatter(Console())


def _record(
    level: int, message: str, exc_info: ExcInfo | None, fields: dict[str, object]
) -> logging.LogRecord:
    """A log record as the logger makes it, in a fifth of the time: most of one is the same for each attempt.

    Where the program has a factory of its own for records, that makes it.
    """
    if logging.getLogRecordFactory() is not logging.LogRecord:
        record = log.makeRecord(log.name, level, __file__, 0, message, (), exc_info)
        record.__dict__.update(fields)
        return record
    here, now = get_ident(), stamp()
    common = _common.get(here)
    if common is None:
        _common.clear()
        common = _common[here] = log.makeRecord(log.name, level, __file__, 0, message, (), None).__dict__
        if (
            "taskName" in common
        ):  # each attempt has an asyncio task of its own; its name says nothing of the job
            common["taskName"] = None
    have = common | fields
    have["msg"], have["levelno"], have["levelname"] = message, level, logging.getLevelName(level)
    have["exc_info"], have["created"], have["msecs"] = exc_info, now, now % 1 * 1000
    have["relativeCreated"] += (now - common["created"]) * 1000
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = have
    return record


_common: Final[dict[int, dict[str, Any]]] = {}
"""What all records of a thread have alike, its process included."""
register_at_fork(after_in_child=_common.clear)


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
