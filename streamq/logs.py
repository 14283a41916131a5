"""Log lines: those of the roles, for people (``console``) or for machines (``json``), and the fields of a job.

Everything goes through standard logging. As a library the package installs nothing: records go where the program
sends them. A role of the command line prints them, its users' records and those of other libraries too, unless the
module that it runs has set logging up itself.

Whatever a record holds may come from anybody, so each line is made harmless here: on the console, control characters
and those that change the direction of text become escapes, and all lines but a record's first are indented; in JSON
they become the escapes of JSON.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, Literal, Protocol

from streamq.errors import InvalidPayload
from streamq.model import codec
from streamq.model.shown import json_escape, shown, shown_lines

FIELDS: Final = (
    "job", "queue", "task", "attempt", "attempts", "worker", "trace_id", "span_id",
    "outcome", "duration_ms", "retry_in_s", "error",
)  # fmt: skip
"""The fields of an attempt, as attributes of log records and as members of JSON lines."""
INDENT: Final = " " * 11
"""Before each further line of a record: as wide as the time and the level in its first."""

LONGEST_TRACE: Final = 65_536
"""Characters of a traceback that are written: about a thousand lines."""
_LETTER: Final = {"DEBUG": "·", "INFO": " ", "WARNING": "!", "ERROR": "✗", "CRITICAL": "✗"}
_STANDARD: Final = frozenset(
    {*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime", "taskName"}
)
"""Attributes that every record has: the rest are fields, ours or those that somebody gave as ``extra``."""
_OURS: Final = "streamq."
_NONE: Final = ""
"""A field that does not apply."""
_LEVEL: Final = logging.WARNING
"""The level of the root logger as Python sets it."""


class Told(Protocol):
    """What runs at the moment, and has fields for log records."""

    def fields(self) -> Mapping[str, object]:
        """Its fields, those that it has."""


CURRENT: Final[ContextVar[Told | None]] = ContextVar("streamq_attempt", default=None)
"""The attempt that this code runs in: the handler, tasks that it starts, and the thread of a plain handler."""


class JobFilter(logging.Filter):
    """Gives records the fields of the job that they are logged in; put it on a handler of your own.

    The attributes are ``job``, ``queue``, ``task``, ``attempt`` (from 1), ``attempts``, ``worker``, ``trace_id`` and
    ``span_id``, and on the line of a whole attempt also ``outcome``, ``duration_ms``, ``retry_in_s`` and ``error``. One
    that does not apply is an empty text, so that a format may name any of them. No record is dropped.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        have = record.__dict__
        told = _fields_here(record)
        for name in FIELDS:
            if name not in have:  # a field of the record's own wins
                have[name] = told.get(name, _NONE)
        return True


def _fields_here(record: logging.LogRecord) -> Mapping[str, object]:
    """Of the attempt that this code runs in. The engine's own lines name their job themselves: a connection that is
    opened for one attempt serves all."""
    told = CURRENT.get()
    return {} if told is None or record.name.startswith(_OURS) else told.fields()


class Console(logging.Formatter):
    """``20:53:38   shop       the order is paid  [confirm 1795478790207-0 attempt 1/5]``"""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._clock = -1, ""

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line, and its further lines and its traceback indented. Never raises."""
        second = int(record.created)
        if second != self._second:
            self._second, self._clock = second, time.strftime("%H:%M:%S", time.localtime(second))
        letter = _LETTER.get(record.levelname, " ")
        line = f"{self._clock} {letter} {_column(record.name)} {shown_lines(_message(record), INDENT)}"
        if told := _fields_here(record):
            line += shown(f"  [{told['task']} {told['job']} attempt {told['attempt']}/{told['attempts']}]")
        traced = (record.exc_info or record.stack_info) and not _says_all(record)
        for more in _traces(self, record) if traced else ():
            line += f"\n{INDENT}{shown_lines(more, INDENT)}"
        return line


class Json(logging.Formatter):
    """One JSON object a line, in ASCII: ``at level logger message pid``, the fields, and ``exception``."""

    def __init__(self) -> None:
        super().__init__()
        self._second, self._date = -1, ""

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line. Never raises."""
        second = int(record.created)
        if second != self._second:
            self._second, self._date = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        said: dict[str, object] = {
            "at": f"{self._date}.{int(record.created % 1 * 1000):03d}Z",
            "level": record.levelname.lower(), "logger": record.name, "message": _message(record),
            "pid": record.process,
        }  # fmt: skip
        for name, value in record.__dict__.items():
            if name not in _STANDARD and value is not _NONE and name not in said:
                said[name] = value
        for name, value in _fields_here(record).items():
            said.setdefault(name, value)
        if (record.exc_info or record.stack_info) and (traces := _traces(self, record)):
            said["exception"] = "\n".join(traces)
        return _json(said)


@lru_cache(maxsize=256)
def _column(name: str) -> str:
    """The name of a logger, as the console shows it."""
    return f"{shown(name.removeprefix(_OURS), 40):<10}"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # arguments that do not fit the format, or whose __str__ raises
        return f"{_written(record.msg)} with {_written(record.args)} cannot be written: {_written(error)}"


def _says_all(record: logging.LogRecord) -> bool:
    """Whether the line needs no traceback: an invalid payload never reached the program's code."""
    info = record.exc_info
    return bool(
        info
        and info[0]
        and info[2] is None
        and record.name.startswith(_OURS)
        and issubclass(info[0], InvalidPayload)
    )


def _traces(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    found = []
    try:
        if record.exc_info and record.exc_info[0] is not None:
            found.append(formatter.formatException(record.exc_info))
        if record.stack_info:
            found.append(formatter.formatStack(record.stack_info))
    except Exception as error:  # raised by the exception's own class
        found.append(f"the traceback cannot be written: {_written(error)}")
    return [_bounded(trace) for trace in found]


def _bounded(trace: str) -> str:
    """Its beginning and its end: the message of an error may be as long as the data that caused it."""
    left_out = len(trace) - LONGEST_TRACE
    if left_out <= 0:
        return trace
    return f"{trace[: LONGEST_TRACE // 2]}\n... {left_out} characters ...\n{trace[-LONGEST_TRACE // 2 :]}"


def _written(value: object) -> str:
    """Any value as text, also when its ``__str__`` raises."""
    try:
        return repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _json(said: dict[str, object]) -> str:
    try:
        line = codec.dumps(said, _written).decode()
    except Exception:  # lone surrogates, a list within itself, or a __str__ that raises
        plain = {_whole(name): _plain(value) for name, value in said.items()}
        line = codec.dumps(plain).decode()
    return line if line.isascii() and "\x7f" not in line else _NOT_PLAIN.sub(json_escape, line)


_NOT_PLAIN: Final = re.compile("[^\x00-\x7e]")


def _plain(value: object) -> object:
    small = (
        value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**63)
    )
    return value if small else _whole(value if isinstance(value, str) else _written(value))


def _whole(text: str) -> str:
    """Text without lone surrogates, which JSON cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode()


class StandardError(logging.Handler):
    """Writes lines to standard error, one write each.

    Neither a closed stream nor a character that cannot be encoded raises. A stream that is open and not read blocks the
    writer, as with any program.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record."""
        line, stream = self.format(record) + "\n", sys.stderr
        if stream is None:  # closed when the process started
            return
        try:
            try:
                stream.write(line)
            except UnicodeError:
                stream.write(line.encode("ascii", "backslashreplace").decode())
            if not getattr(stream, "line_buffering", False):
                stream.flush()
        except (OSError, ValueError):  # the reader is gone: there is nowhere to report it
            pass


_installed = ""


def how_logged() -> str:
    """How this process logs, for the line with which a role begins."""
    return _installed or "as the program has set it up"


def set_up_logs(form: Literal["console", "json"], level: str) -> None:
    """Send what is logged in this process to standard error: a role does so once it has loaded its app.

    All loggers are meant, and records get the fields of their job. Where the program has set logging up itself (the
    root logger has a handler for more than errors, or one that prints) nothing is installed and no level is changed:
    its handlers get ``JobFilter``, and our loggers are enabled again where ``dictConfig`` has disabled those that
    there were. Handlers for errors alone, as those of error trackers are, stay beside ours.
    """
    global _installed  # noqa: PLW0603  # a process has one standard error
    root = logging.getLogger()
    for name, logger in root.manager.loggerDict.items():
        if name.startswith(_OURS) and isinstance(logger, logging.Logger):
            logger.disabled = False  # by default dictConfig does that, and all that we say would be lost
    before = [each for each in root.handlers if isinstance(each, StandardError)]
    for each in before:
        root.removeHandler(each)
    for handler in root.handlers:
        if not any(isinstance(one, JobFilter) for one in handler.filters):
            handler.addFilter(JobFilter())
    if any(map(_logs_all, root.handlers)):
        _installed = ""
        return
    ours = StandardError()
    ours.setFormatter(Json() if form == "json" else Console())
    root.addHandler(ours)
    if before or root.level == _LEVEL:  # else the program has chosen one
        root.setLevel(level.upper())
    logging.captureWarnings(True)
    _installed = f"{form} from {level} on"


def _logs_all(handler: logging.Handler) -> bool:
    """Whether a handler is somebody's log, and not for errors alone."""
    prints = isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stderr, sys.stdout)
    return prints or handler.level < logging.ERROR
