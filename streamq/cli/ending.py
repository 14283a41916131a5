"""How a command ends: an error becomes one line that says what to do next, and an exit code."""

from __future__ import annotations

import traceback
from typing import Final

import click

from streamq.cli.outlet import complain, echo_json, leave
from streamq.errors import (
    ConfigurationError,
    JobNotFound,
    ResultTimeout,
    ScheduleConflict,
    ScheduleNotFound,
    StreamqError,
    Unavailable,
    UsageError,
    WrongState,
)

CODES: Final[dict[int, str]] = {
    0: "done",
    1: "the operation failed, or the job that was waited for",
    2: "the call is wrong",
    3: "no such job, queue or schedule",
    4: "the state of the job or the schedule does not allow it",
    5: "the job was still running when the wait was over",
    69: "the server cannot be reached",
    70: "a worker whose event loop was blocked for longer than `STREAMQ_STUCK` ended itself",
    78: "the configuration is wrong, or the app cannot be loaded",
    130: "interrupted by Ctrl-C",
    141: "nobody reads the output any more, as after `| head`",
}
"""What each exit code means."""


class QueueNotFound(StreamqError):
    """No queue of that name is known to the server."""

    code = "queue-not-found"


_OF: Final[tuple[tuple[type[StreamqError], int], ...]] = (
    (UsageError, 2), (JobNotFound, 3), (QueueNotFound, 3), (ScheduleNotFound, 3), (WrongState, 4),
    (ScheduleConflict, 4), (ResultTimeout, 5), (Unavailable, 69), (ConfigurationError, 78),
)  # fmt: skip
_TRY: Final[dict[int, str]] = {69: "streamq doctor, or start a server with: streamq up"}


def code_of(error: StreamqError) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _OF if isinstance(error, kind)), 1)


def report(error: BaseException, *, as_json: bool) -> int:
    """Print what went wrong and what to do; returns the exit code."""
    if isinstance(error, StreamqError):
        return _report(error, as_json=as_json)
    if isinstance(error, click.ClickException):
        return _misuse(error, as_json=as_json)
    if isinstance(error, OSError):
        return _refused_by_the_system(error, as_json=as_json)
    return _fault(error)


def _report(error: StreamqError, *, as_json: bool) -> int:
    if as_json:
        echo_json({"error": {"code": error.code, "message": str(error)}})
    complain(f"error: {error}")
    for note in getattr(error, "__notes__", ()):
        _complain_of_each(str(note))
    code = code_of(error)
    if code in _TRY:
        complain(f"try: {_TRY[code]}")
    return code


def _misuse(error: click.ClickException, *, as_json: bool) -> int:
    """An error that click found in the command line."""
    message = error.format_message().strip().removesuffix(".")
    if isinstance(
        error, getattr(click.exceptions, "NoArgsIsHelpError", ())
    ):  # whose message is the help page
        for line in message.split("\n"):
            complain(line)
        return error.exit_code
    message = " ".join(message.split())  # click lists choices below each other
    context = getattr(error, "ctx", None)
    if context is not None:
        message += f" (see {context.command_path} --help)"
    if as_json:
        echo_json({"error": {"code": "usage", "message": message}})
    complain(f"error: {message}")
    return error.exit_code


def _refused_by_the_system(error: OSError, *, as_json: bool) -> int:
    """A file, a folder or an address that cannot be used."""
    why = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        message, code = f"the system refuses: {why}", 1
    else:
        message, code = f"cannot use {error.filename}: {why}", 78
    if as_json:
        echo_json({"error": {"code": "system", "message": message}})
    complain(f"error: {message}")
    if error.filename is None:
        leave(code)  # it may have been the output
    return code


def _fault(error: BaseException) -> int:
    """An unexpected error: its whole traceback, each line made safe to show."""
    _complain_of_each("".join(traceback.format_exception(error)))
    complain("error: this is a fault of streamq or of a handler: please report it with the lines above")
    return 1


def _complain_of_each(text: str) -> None:
    """Each line is indented, so that foreign text cannot look like a line of ours."""
    for line in text.rstrip("\n").split("\n"):
        complain("  " + line.expandtabs())
