"""Lines of the log about one job: logger ``streamq.job``, with the fields of ``logs.FIELDS``."""

from __future__ import annotations

import logging
from os import register_at_fork
from threading import get_ident
from types import TracebackType
from typing import Any, Final

from streamq.logs import Console, StandardError
from streamq.model.clock import stamp
from streamq.model.shown import shown

log: Final = logging.getLogger("streamq.job")

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def tell(level: int, message: str, exc_info: ExcInfo | None = None, **fields: object) -> None:
    """Log one line about a job. Never raises: an error in the program's logging must not fail the job."""
    try:
        log.handle(_record(level, message, exc_info, fields))
    except Exception as fault:  # raised by the program's own filter, handler or record factory
        told = "this line could not be logged: " + message
        _own.handle(
            logging.LogRecord(
                log.name, logging.ERROR, __file__, 0, told, (), (type(fault), fault, fault.__traceback__)
            )
        )


def failed_for_good(job: str, queue: str, worker: str, error: str, why: str, *, task: str = "") -> None:
    """Log a job that was not failed by an attempt; ``error`` is the error type in its record."""
    who = f"{shown(task, 100)} {job}" if task else f"job {job} on {queue}"
    fields: dict[str, Any] = {"job": job, "queue": queue, "task": task, "worker": worker, "outcome": "failed"}
    tell(
        logging.ERROR, f"{who} {shown(why)}; the job has failed for good", error=f"{error}: {why}",
        **{name: value for name, value in fields.items() if value},
    )  # fmt: skip


_own: Final = StandardError()
_own.setFormatter(Console())


def _record(
    level: int, message: str, exc_info: ExcInfo | None, fields: dict[str, object]
) -> logging.LogRecord:
    """A log record as the logger makes it, in a fifth of the time: most of one is the same for each attempt.

    A record factory of the program's own is used where there is one.
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
        if "taskName" in common:  # of the attempt's own asyncio task: it says nothing of the job
            common["taskName"] = None
    have = common | fields
    have["msg"], have["levelno"], have["levelname"] = message, level, logging.getLevelName(level)
    have["exc_info"], have["created"], have["msecs"] = exc_info, now, now % 1 * 1000
    have["relativeCreated"] += (now - common["created"]) * 1000
    record = logging.LogRecord.__new__(logging.LogRecord)
    record.__dict__ = have
    return record


_common: Final[dict[int, dict[str, Any]]] = {}
"""By thread, the attributes that are equal in all its records."""
register_at_fork(after_in_child=_common.clear)
