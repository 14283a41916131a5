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
    if not rows:
        say(empty)
        return
    texts = [
        {key: "" if value is None else shown(str(value), WIDEST) for key, value in row.items()}
        for row in rows
    ]
    widths = {key: max(len(key), *(len(row[key]) for row in texts)) for key in texts[0]}
    right = {key for key in widths if all(isinstance(row[key], int | float) for row in rows)}
    for row in [{key: key for key in widths}, *texts]:
        cells = (row[key].rjust(w) if key in right else row[key].ljust(w) for key, w in widths.items())
        say("  ".join(cells).rstrip())


def is_terminal() -> bool:
    """Whether the output is one."""
    return sys.stdout is not None and sys.stdout.isatty()


@contextlib.contextmanager
def screen(*, full: bool) -> Iterator[None]:
    """What is printed within the block stands where the screen begins, in the place of what was there."""
    if full and sys.stdout is not None:
        sys.stdout.write("\x1b[H\x1b[2J\x1b[3J")
    yield


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


def _write(line: str) -> None:
    if sys.stdout is None:
        return
    try:
        _print(line, sys.stdout)
    except BrokenPipeError:
        leave(Exit.READER_GONE)
    except (OSError, ValueError) as error:  # the second for a file that is closed
        complain(f"error: the output cannot be written: {getattr(error, 'strerror', None) or error}")
        leave(Exit.FAILED)


def _print(line: str, stream: IO[str]) -> None:
    """Characters that the stream cannot encode are escapes too."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def leave(code: int) -> NoReturn:
    """End the program, so that Python does not try again to write what it could not."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    raise SystemExit(code)
