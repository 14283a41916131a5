"""What is kept of an error: its type, its text and its traceback, in a bounded number of bytes.

An exception is code of the handler's program: reading its text, its notes, its cause or its class may raise anything.
No function here does. Each step that fails falls back to a simpler one; the last is the name of the type, which the
interpreter itself keeps.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, NamedTuple

from streamq.model.history import fitted

MESSAGE: Final = 2_000
"""Bytes, as JSON, kept of a message: with traceback, name and times it fits into ``history.IN_FULL``."""
TRACEBACK: Final = 4_000
"""Bytes, as JSON, kept of the end of a traceback: its last frames say where it failed."""
NAME: Final = 200
"""Bytes, as JSON, kept of the name of a type: more than a written class has."""
OWN_MODULES: Final = (
    "streamq.worker.runner",
    "streamq.worker.calls",
    "streamq.worker.threads",
    "streamq.otel",
    "concurrent.futures.thread",
)
"""The modules of the frames above the handler's."""
_OURS: Final = ("streamq.", "concurrent.futures.thread")

_name_of = type.__dict__["__name__"].__get__
_traceback_of = BaseException.__dict__["__traceback__"].__get__


class Description(NamedTuple):
    """An error as text."""

    type: str
    message: str
    traceback: str = ""

    def __str__(self) -> str:
        """On one line, for the log."""
        return one_line(f"{self.type}: {self.message}")


def _as_it_is(text: str) -> str:
    return text


def describe(
    error: BaseException, *, traced: bool = True, hide: Callable[[str], str] = _as_it_is
) -> Description:
    """``error`` as text, with its traceback from the handler on when ``traced``. Never raises.

    Whatever its own texts are, they pass ``hide`` before they are cut.
    """
    name = hide(type_name(error))
    message = _text(error, hide)
    return Description(name, message, _trace(error, name, message, hide) if traced else "")


def type_name(error: BaseException) -> str:
    """The name of its type, read from the interpreter and not from the error."""
    try:
        return fitted(_plain(_name_of(type(error)), NAME), NAME)
    except BaseException:  # the last step: it must not fail
        return "Exception"


def frames_of(error: BaseException) -> TracebackType | None:
    """Its traceback from the first frame on that is not ours, for a log record; ``None`` when there is none."""
    frame: TracebackType | None = _traceback_of(error)
    while frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith(_OURS):
        frame = frame.tb_next
    return frame


def one_line(text: str, longest: int = 300) -> str:
    """Text for a log line: without line breaks, and not longer than a line may be."""
    line = " ".join(text[: 2 * longest].split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _text(error: BaseException, hide: Callable[[str], str]) -> str:
    try:
        return fitted(_plain(hide(str(error)), MESSAGE), MESSAGE)
    except BaseException as unprintable:  # raised by the handler's own class
        return f"(its text cannot be made: {type_name(unprintable)})"


def _trace(error: BaseException, name: str, message: str, hide: Callable[[str], str]) -> str:
    """The traceback: in full with causes, notes and groups; else the frames alone; else nothing."""
    try:
        frames = _from_the_handler_on(_traceback_of(error))
        text = hide("".join(traceback.format_exception(type(error), error, frames)))
        if len(text) > TRACEBACK and len(message) >= MESSAGE // 2:  # a long text would leave no frame
            text = f"{''.join(traceback.format_tb(frames))}{name}: {message[: MESSAGE // 2]}"
        return _end_of(text)
    except BaseException:  # code of the handler's program
        return _frames(error, name, message)


def _frames(error: BaseException, name: str, message: str) -> str:
    try:
        frames = traceback.format_tb(_from_the_handler_on(_traceback_of(error)))
        return _end_of(f"{''.join(frames)}{name}: {message[: MESSAGE // 2]}")
    except BaseException:  # as above
        return ""


def _from_the_handler_on(frame: Any) -> Any:
    """Our own frames above the handler's help nobody."""
    while frame is not None and frame.tb_frame.f_globals.get("__name__") in OWN_MODULES:
        frame = frame.tb_next
    return frame


def _end_of(text: str) -> str:
    return fitted(_plain(text, 2 * TRACEBACK, end=True), TRACEBACK, end=True)


def _plain(text: str, longest: int, *, end: bool = False) -> str:
    """A part of any text as a true ``str`` without lone surrogates, which names of files may have.

    JSON cannot hold them. The methods of ``str`` itself are called: a subclass may have its own.
    """
    part = str.__getitem__(text, slice(-longest, None) if end else slice(longest))
    return str.encode(part, "utf-8", "replace").decode()
