"""How a command ends: an error becomes one line that says what to do next, and an exit code."""

from __future__ import annotations

import re
import traceback
from typing import Final

import click

from streamq.cli.outlet import complain, echo_json, leave
from streamq.errors import (
    ConfigurationError,
    JobNotFound,
    QueueFull,
    ResultTimeout,
    StreamqError,
    Unavailable,
    UsageError,
    VersionConflict,
    WrongState,
    meant,
)
from streamq.exits import Exit
from streamq.noun_errors import (
    MoveUnfinished,
    NotThere,
    OperationConflict,
    OperationEnded,
    OperationNotFound,
    OperationTimeout,
    QueueError,
    ScheduleConflict,
    WorkerStopping,
)


class QueueNotFound(StreamqError):
    """No queue of that name is known to the server."""

    code = "queue-not-found"


class FailureNotFound(StreamqError):
    """No job of a queue has failed like that."""

    code = "failure-not-found"


_OF: Final[tuple[tuple[type[StreamqError], Exit], ...]] = (
    (UsageError, Exit.MISUSE), (JobNotFound, Exit.NOT_FOUND), (QueueNotFound, Exit.NOT_FOUND),
    (FailureNotFound, Exit.NOT_FOUND),
    (OperationNotFound, Exit.NOT_FOUND), (NotThere, Exit.NOT_FOUND),
    (WorkerStopping, Exit.WRONG_STATE),
    (ScheduleConflict, Exit.WRONG_STATE),
    (MoveUnfinished, Exit.STILL_RUNNING),
    (QueueError, Exit.WRONG_STATE), (OperationConflict, Exit.WRONG_STATE), (OperationEnded, Exit.WRONG_STATE),
    (WrongState, Exit.WRONG_STATE), (VersionConflict, Exit.WRONG_STATE),
    (ResultTimeout, Exit.STILL_RUNNING), (OperationTimeout, Exit.STILL_RUNNING), (QueueFull, Exit.FAILED),
    (Unavailable, Exit.UNAVAILABLE),
    (ConfigurationError, Exit.CONFIGURATION),
)  # fmt: skip


def code_of(error: StreamqError) -> Exit:
    """The exit code of an error."""
    return next((code for kind, code in _OF if isinstance(error, kind)), Exit.FAILED)


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
    _tell(error.code, str(error), as_json=as_json)
    for note in getattr(error, "__notes__", ()):
        _complain_of_each(str(note))
    code = code_of(error)
    if code is Exit.UNAVAILABLE and isinstance(error, Unavailable) and error.advice:
        complain(error.advice)
    return code


def _misuse(error: click.ClickException, *, as_json: bool) -> int:
    """An error that click found in the command line."""
    message = error.format_message().strip().removesuffix(".")
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # its message is the help page
        for line in message.split("\n"):
            complain(line)
        return error.exit_code
    message = " ".join(message.split()) + _nearest_choice(
        error, message
    )  # click lists choices below each other
    context = getattr(error, "ctx", None)
    if context is not None:
        message += f" (see {context.command_path} --help)"
    _tell("usage", message, as_json=as_json)
    return error.exit_code


def _nearest_choice(error: click.ClickException, message: str) -> str:
    """``: did you mean failed?`` where one of some words is wanted."""
    kind = getattr(getattr(error, "param", None), "type", None)
    given = re.search(r"'([^']*)' is not one of", message)
    near = meant(given[1], map(str, kind.choices)) if isinstance(kind, click.Choice) and given else ""
    return near and f": {near}"


def _refused_by_the_system(error: OSError, *, as_json: bool) -> int:
    """A file, a folder or an address that cannot be used."""
    why = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        _tell("system", f"the system refuses: {why}", as_json=as_json)
        leave(Exit.FAILED)  # it may have been the output
    _tell("system", f"cannot use {error.filename}: {why}", as_json=as_json)
    return Exit.CONFIGURATION


def _fault(error: BaseException) -> int:
    """An unexpected error: its whole traceback, each line made safe to show."""
    _complain_of_each("".join(traceback.format_exception(error)))
    complain("error: this is a fault of streamq or of a handler: please report it with the lines above")
    return Exit.FAILED


def _tell(code: str, message: str, *, as_json: bool) -> None:
    if as_json:
        echo_json({"error": {"code": code, "message": message}})
    complain(f"error: {message}")


def _complain_of_each(text: str) -> None:
    """Each line is indented, so that foreign text cannot look like a line of ours."""
    for line in text.rstrip("\n").split("\n"):
        complain("  " + line.expandtabs())
