"""The log lines of an attempt, one for each way to end.

``send-sms 1795478790207-0 attempt 1/5 completed in 12 ms``, and the fields of ``logs.FIELDS`` with it: at ``info`` what
completed or runs again, at ``error`` a job that has failed for good, with its traceback; at ``debug`` each start, and
the traceback of what runs again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final, NamedTuple

from streamq.errors import InvalidPayload, UnknownTask, UnknownVersion
from streamq.job_lines import ExcInfo, log, tell
from streamq.model.judge import ResultNotStorable, TimeLimit
from streamq.model.shown import shown
from streamq.verdicts import Fail, Retry
from streamq.worker.attempt import Attempt
from streamq.worker.description import Description, describe, frames_of, one_line
from streamq.worker.masking import hidden, hider

_NO_REASON: Final = str(Retry())


class Line(NamedTuple):
    """A log line of an attempt: its level, text and fields, and an error whose traceback follows."""

    level: int
    said: str
    fields: Mapping[str, object] = {}
    error: BaseException | None = None


STARTED: Final = Line(logging.DEBUG, "starts")
"""It begins."""
TOLD: Final = Line(logging.DEBUG, "is told to end, as its job is to be cancelled")
"""The end of its job was asked for."""
HELD: Final = Line(logging.INFO, "is held: its task is paused", {"outcome": "held"})
"""It does not begin."""


def say(attempt: Attempt, line: Line) -> None:
    """Log it. Never raises: an error in the program's logging must not fail the job."""
    if not log.isEnabledFor(line.level):
        return
    if attempt.task is not None and attempt.task.hides and (line.error or "error" in line.fields):
        line = _masked(attempt, line)
    told = attempt.fields()
    name = shown(attempt.delivery.task, 100)
    message = f"{name} {told['job']} attempt {told['attempt']}/{told['attempts']} {line.said}"
    told.update(line.fields)
    tell(line.level, message, None if line.error is None else _exc_info(line.error), **told)


def _masked(attempt: Attempt, line: Line) -> Line:
    """The line without what is masked in the payload."""
    if (hide := hider(attempt)) is None:
        return line
    fields = {name: hide(value) if isinstance(value, str) else value for name, value in line.fields.items()}
    return Line(line.level, hide(line.said), fields, line.error and hidden(line.error, hide))


def completed(took: float) -> Line:
    """Its outcome is on its way to the server."""
    return Line(
        logging.INFO, f"completed in {span(took)}", {"outcome": "completed", "duration_ms": _ms(took)}
    )


def snoozed(took: float, wait: float) -> Line:
    """Its handler raised ``Snooze``: the attempt is not charged."""
    said = f"asks for a snooze after {span(took)}; again in {span(wait)}"
    fields = {"outcome": "snoozed", "duration_ms": _ms(took), "retry_in_s": round(wait, 3)}
    return Line(logging.INFO, said, fields)


def paused_group(took: float, wait: float, scope: str, reason: str) -> Line:
    """Its handler raised ``Retry`` for its group: that is paused, and the attempt is not charged."""
    said = f"asks for a pause of its {scope} after {span(took)}: {shown(reason)}; the first again in {span(wait)}"
    fields = {"outcome": "snoozed", "duration_ms": _ms(took), "retry_in_s": round(wait, 3)}
    return Line(logging.INFO, said, fields)


def again(error: BaseException, described: Description, took: float, wait: float) -> tuple[Line, Line]:
    """It failed, and attempts are left."""
    said = f"{_words(error, described, took)}; again in {span(wait)}"
    fields = {
        "outcome": "retry", "duration_ms": _ms(took), "retry_in_s": round(wait, 3), "error": str(described),
    }  # fmt: skip
    return Line(logging.INFO, said, fields), Line(logging.DEBUG, "was ended by this error:", error=error)


def put_off(error: BaseException, described: Description, took: float, wait: float) -> tuple[Line, Line]:
    """It failed, and its task's ``on_error`` puts it off: the attempt is not charged."""
    said = f"{_words(error, described, took)}; on_error puts it off: again in {span(wait)}"
    fields = {
        "outcome": "snoozed", "duration_ms": _ms(took), "retry_in_s": round(wait, 3), "error": str(described),
    }  # fmt: skip
    return Line(logging.INFO, said, fields), Line(logging.DEBUG, "was ended by this error:", error=error)


def no_advice(fault: BaseException) -> Line:
    """Its task's ``on_error`` raised, or returned what is no advice."""
    said = f"asks on_error in vain: {shown(str(describe(fault, traced=False)))}; the task's policy decides"
    return Line(logging.ERROR, said, error=fault)


def failed(error: BaseException, described: Description, took: float, why: str) -> Line:
    """Its job is failed. The record has the exception itself, its traceback from the handler on."""
    reason = f" ({shown(one_line(why))})" if why else ""
    said = f"{_words(error, described, took)}; the job has failed for good{reason}"
    fields = {"outcome": "failed", "duration_ms": _ms(took), "error": str(described)}
    return Line(logging.ERROR, said, fields, error)


def interrupted(took: float) -> Line:
    """The worker stops, and the handler did not end within the grace."""
    said = f"is interrupted by the end of the worker after {span(took)}"
    return Line(logging.DEBUG, said, {"outcome": "given_back", "duration_ms": _ms(took)})


def cancelled(took: float) -> Line:
    """The end of its job was asked for."""
    return Line(
        logging.INFO, f"is cancelled after {span(took)}", {"outcome": "cancelled", "duration_ms": _ms(took)}
    )


def expired(late: float) -> Line:
    """It came too late to begin."""
    return Line(logging.INFO, f"has expired {span(late)} ago and does not start", {"outcome": "expired"})


def unknown(error: UnknownTask, wait: float, patience: float) -> Line:
    """Its worker does not know its task, or not the version of its payload."""
    knows = "no such task"
    if isinstance(error, UnknownVersion):
        knows = f"version {error.known_version} of its task, and its payload is of version {error.version}"
    said = f"waits: this worker knows {knows}; its jobs wait up to {patience:.0f} s for one that does"
    return Line(logging.WARNING, said, {"outcome": "unknown_task", "retry_in_s": wait})


def unknown_for_too_long(error: BaseException, described: Description, patience: float) -> Line:
    """No worker has known its task."""
    said = f"is over: no worker knew its task for {patience:.0f} s; the job has failed for good"
    return Line(logging.ERROR, said, {"outcome": "failed", "error": str(described)}, error)


def unmakeable(fault: BaseException) -> Line:
    """Even the outcome could not be made, so the job is failed."""
    said = f"has no outcome that could be made ({shown(str(describe(fault)))}); the job has failed for good"
    return Line(logging.ERROR, said, {"outcome": "failed"}, fault)


def too_late(fault: BaseException) -> Line:
    """An error of ours, after its outcome went to the settler."""
    return Line(logging.ERROR, f"has its outcome; after that came {shown(str(describe(fault)))}", error=fault)


def _words(error: BaseException, described: Description, seconds: float) -> str:
    """What happened, by the true type of the error alone: using the error itself runs code of the program."""
    kind, took = type(error), span(seconds)
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
