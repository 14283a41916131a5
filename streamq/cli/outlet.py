"""The output of commands. Every line passes here, so that no foreign text can control a terminal.

When the reader of the output is gone, a command ends with 141, like a program that SIGPIPE ends, without a message.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NoReturn

from streamq.exits import Exit
from streamq.model.shown import shown, shown_json

WIDEST: Final = 100
"""Characters of a cell of a table: a longer name would push all others off the screen."""
LONGEST: Final = 2_000
"""Characters of a line of an error: as long as the messages of errors that are kept."""


def say(line: str = "") -> None:
    """Print one line; line breaks in it are shown as escapes."""
    _write(shown(line))


def complain(line: str) -> None:
    """Print one line to standard error. Never raises: when that is closed, the line is lost."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            _print(shown(line, LONGEST), sys.stderr)


def echo_json(value: Any) -> None:
    """Print one JSON document."""
    from streamq.model import codec  # noqa: PLC0415  # --help need not pay for it

    _write(shown_json(codec.dumps(value).decode()))


def table(rows: list[dict[str, Any]], empty: str) -> None:
    """Print rows under their keys, numbers to the right."""
    for line in tabled(rows, empty):
        say(line)


def tabled(rows: list[dict[str, Any]], empty: str) -> list[str]:
    """The lines of a table: its head, and one of each row. What a row does not have is an empty cell."""
    if not rows:
        return [shown(empty)]
    keys = dict.fromkeys(key for row in rows for key in row)
    texts = [
        {key: "" if row.get(key) is None else shown(str(row[key]), WIDEST) for key in keys} for row in rows
    ]
    widths = {key: max(len(key), *(len(row[key]) for row in texts)) for key in keys}
    right = {key for key in keys if all(isinstance(row.get(key), int | float) for row in rows)}
    cells = (
        (row[key].rjust(width) if key in right else row[key].ljust(width) for key, width in widths.items())
        for row in [{key: key for key in widths}, *texts]
    )
    return ["  ".join(row).rstrip() for row in cells]


def is_terminal() -> bool:
    """Whether the output is one."""
    return sys.stdout is not None and sys.stdout.isatty()


@contextlib.contextmanager
def screen() -> Iterator[Callable[[Callable[[int], list[str]]], None]]:
    """A screen of its own, until the block ends: then the terminal shows again what was on it before.

    The function is told how the lines are made for so many rows. What a row has no room for is left out.
    """
    _write(_ENTER, end="")
    try:
        yield _fill
    finally:
        with contextlib.suppress(OSError, ValueError):
            _print(_LEAVE, sys.stdout, end="")


@contextlib.contextmanager
def screen_left() -> Iterator[None]:
    """In the block the terminal shows what was on it before the screen."""
    _write(_LEAVE, end="")
    try:
        yield
    finally:
        _write(_ENTER, end="")


_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l"
"""The other screen, without a cursor; what is too long for a row is not continued in the next."""
_LEAVE: Final = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_SIZE: Final = (80, 24)
"""Columns and rows of a terminal that does not tell them."""


def _fill(made: Callable[[int], list[str]]) -> None:
    told = os.get_terminal_size(sys.stdout.fileno())
    columns, rows = (given or usual for given, usual in zip(told, _SIZE, strict=True))
    lines = (shown(line)[:columns] + "\x1b[K" for line in made(rows)[:rows])
    _write("\x1b[H" + "\n".join(lines) + "\x1b[J", end="")


@contextlib.contextmanager
def progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; the function is told how much is done."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    import click  # noqa: PLC0415  # the outlet of programs that have no commands, too

    with click.progressbar(length=total, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)


class Warnings(logging.Handler):
    """What the engine logs while a command looks at a server, one line each."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(f"{record.levelname.lower()}: {record.getMessage()}")


def _write(line: str, end: str = "\n") -> None:
    if sys.stdout is None:
        return
    try:
        _print(line, sys.stdout, end)
    except BrokenPipeError:
        leave(Exit.READER_GONE)
    except (OSError, ValueError) as error:  # the second for a file that is closed
        complain(f"error: the output cannot be written: {getattr(error, 'strerror', None) or error}")
        leave(Exit.FAILED)


def _print(line: str, stream: IO[str], end: str = "\n") -> None:
    """Characters that the stream cannot encode are escapes too."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + end)
    stream.flush()


def leave(code: int) -> NoReturn:
    """End the program, so that Python does not try again to write what it could not."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    raise SystemExit(code)
