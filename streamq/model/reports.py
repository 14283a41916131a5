"""Reports: what a job tells while it runs, its progress and the lines of its log. Their bounds, writers and readers.

    progress    [<ms>,<attempt>,<value>,<note>,<data>]
    line        [<ms>,<attempt>,<level>,<text>]

A log lies in pages, each the number of its first line and its lines, one below the other; the last pages are kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.shown import as_given
from streamq.noun_errors import InvalidProgress
from streamq.times import rfc3339

NOTE: Final = 500
"""Characters of a note that are kept: one line of a screen, with room to spare."""
DATA: Final = 4_096
"""Bytes of JSON beside a progress: it is written some times a second, and shown in lists of jobs."""
LINE: Final = 4_000
"""Characters of a line that are kept: a traceback of usual length."""
LINE_BYTES: Final = 4_096
"""And the bytes of its JSON, in which a character may take six."""
PAGE: Final = 4_096
"""Bytes of a page: it is written anew with each line that is added, and must be as long as a line may be."""
PAGES: Final = 16
"""Pages that a job keeps: 64 KiB, some hundred lines. The oldest are dropped."""
KEPT: Final = PAGE * PAGES
"""Bytes of lines that a job keeps."""
JOBS: Final = 10_000
"""Jobs of a queue whose reports are kept, those that reported last."""
FIELDS: Final = 16_384
"""Pages that a queue keeps, and heads, one a job: 64 MiB at most."""

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
"""The levels of lines, those of standard logging."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is, as its handler said last."""

    value: float | None
    """The part that is done, from 0 to 1; ``None`` where nobody can tell."""
    note: str
    data: Any
    """Any JSON that was given with it."""
    at: datetime | None
    """When that was, in UTC by the server's clock."""
    attempt: int

    def asdict(self) -> dict[str, Any]:
        """The progress as JSON has it; its time in RFC 3339."""
        return {
            "value": self.value, "note": self.note, "data": self.data, "at": rfc3339(self.at),
            "attempt": self.attempt,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a job's log."""

    number: int
    """Its number among all lines of the job, from 1, those that were dropped included."""
    level: str
    text: str
    at: datetime | None
    """When it was written, in UTC by the server's clock."""
    attempt: int

    def asdict(self) -> dict[str, Any]:
        """The line as JSON has it; its time in RFC 3339."""
        return {
            "number": self.number, "level": self.level, "text": self.text, "at": rfc3339(self.at),
            "attempt": self.attempt,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Log:
    """What is kept of a job's log, oldest first."""

    lines: list[LogLine] = field(default_factory=list)
    written: int = 0
    """How many lines the job has written."""

    @property
    def dropped(self) -> int:
        """How many of those before the last one are not kept any more, as they were too many."""
        return (self.lines[-1].number if self.lines else self.written) - len(self.lines)

    def asdict(self) -> dict[str, Any]:
        """The log as JSON has it."""
        lines = [line.asdict() for line in self.lines]
        return {"lines": lines, "written": self.written, "dropped": self.dropped}


# -- writing ----------------------------------------------------------------------------------------------------


def progress_text(value: Any, note: Any, data: Any) -> bytes:
    """What is stored of a progress behind its time and attempt. Raises ``InvalidProgress``."""
    if value is not None and not (type(value) in (int, float) and 0 <= value <= 1):
        raise InvalidProgress(f"{as_given(value)} is no progress: give a number from 0 to 1, or None")
    if not isinstance(note, str):
        raise InvalidProgress(f"{as_given(note)} is no note: give text")
    try:
        said = b"null" if data is None else codec.storable(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidProgress(f"data={as_given(data)} has no JSON form: {error}") from None
    if wrong := codec.unreadable(said):
        raise InvalidProgress(f"data={as_given(data)} cannot be kept: {wrong}")
    if len(said) > DATA:
        raise InvalidProgress(f"data of {len(said):,} bytes is too long: at most {DATA:,} are kept")
    return b"%b,%b,%b" % (codec.dumps(value), codec.dumps(_cut(note, NOTE)), said)


def line_text(level: str, text: str) -> bytes:
    """What is stored of a line behind its time and attempt; of a long one the beginning, and how long it was."""
    said = codec.dumps(_cut(text, LINE))
    if len(said) > LINE_BYTES - 100:  # the rest of its JSON
        said = codec.dumps(_cut(text, LINE // 7))
    return b"%b,%b" % (codec.dumps(level), said)


def _cut(text: str, most: int) -> str:
    """Without lone surrogates, which have no bytes in UTF-8."""
    kept = text if len(text) <= most else f"{text[:most]}… (cut: it has {len(text):,} characters)"
    return kept if kept.isascii() else kept.encode("utf-8", "backslashreplace").decode()


def stored(ms: int, attempt: int, text: bytes) -> bytes:
    """A progress or a line as it is stored."""
    return b"[%d,%d,%b]" % (ms, attempt, text)


# -- reading ----------------------------------------------------------------------------------------------------


def progress(raw: bytes | None) -> Progress | None:
    """A progress as far as it can be read: another program may have written it."""
    said = _read(raw or b"", 5)
    if said is None:
        return None
    ms, attempt, value, note, data = said
    known = value if isinstance(value, int | float) and math.isfinite(value) else None
    return Progress(known, str(note), data, _time(ms), _whole(attempt))


def _opened(pages: Iterable[bytes | None]) -> list[tuple[int, bytes]]:
    """The number of the first line of each page, and its lines, in order."""
    parts = [page.partition(b"\n") for page in pages if page]
    return sorted((int(first[:15]), lines) for first, _, lines in parts if first.isdigit())


def numbered(first: int, lines: bytes) -> Iterator[LogLine]:
    """Lines that stand below each other, of which the first has that number."""
    for number, raw in enumerate(lines.split(b"\n") if lines else (), first):
        if said := _read(raw, 4):
            ms, attempt, level, text = said
            yield LogLine(number, str(level), str(text), _time(ms), _whole(attempt))


def log_of(head: bytes | None, pages: Iterable[bytes | None], after: int = 0) -> Log:
    """A job's log, of its head and its pages in any order; pages that end before ``after`` are not read."""
    opened = _opened(pages)
    following = [first for first, _ in opened[1:]]
    lines: list[LogLine] = []
    for at, (first, text) in enumerate(opened):
        if at == len(following) or following[at] > after + 1:
            lines += numbered(first, text)
    return Log(lines, max(written(head), lines[-1].number if lines else 0))


def written(head: bytes | None) -> int:
    """How many lines a job has written, as the head of its log says."""
    count = (head or b"").partition(b" ")[0]
    return int(count[:15]) if count.isdigit() else 0


def _read(raw: bytes, count: int) -> list[Any] | None:
    try:
        said = codec.loads(raw)
    except codec.JSONDecodeError:
        return None
    return said if isinstance(said, list) and len(said) == count else None


def _time(ms: Any) -> datetime | None:
    try:
        return from_ms(ms)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _whole(number: Any) -> int:
    return number if isinstance(number, int) else 0
