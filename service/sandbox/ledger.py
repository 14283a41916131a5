"""The ledger of the sandbox: the latest calls in a bounded number of bytes, totals of all, a file with every one."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
from collections import Counter, deque
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from streamq import ConfigurationError
from streamq.times import rfc3339

from ..clock import now

log = logging.getLogger("streamq.sandbox")

KEEP: Final = 4 * 1024 * 1024
"""Bytes of calls kept in memory: some thousand messages, beside everything else in ``up --demo``."""
_CALL: Final = 400
"""Bytes a call costs beside its body and key: measured, with its place among the keys."""
_HOW: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""Not blocking: a pipe in the place of the file would hold the start until somebody reads it."""
_UNUSUAL: Final = re.compile(r"[^\x20-\x7e\t\r\n]")


class Call(NamedTuple):
    """One call as it came. ``body`` is exactly what was received."""

    id: str
    key: str | None
    repeat: int
    status: int
    received_at: datetime
    body: bytes

    @property
    def size(self) -> int:
        """Bytes of memory it takes, about."""
        return _CALL + len(self.body) + len(self.key or "")

    def asdict(self) -> dict[str, Any]:
        """The call for JSON, its body untouched."""
        return {
            "id": self.id,
            "idempotency_key": self.key,
            "repeat": self.repeat,
            "status": self.status,
            "received_at": rfc3339(self.received_at, "microseconds"),
            "body": orjson.Fragment(self.body)
            if parsed(self.body) is not None
            else self.body.decode("latin-1"),
        }


class Ledger:
    """The latest calls, in ``keep`` bytes, and totals of all. With a ``file``, each call is also a line there.

    Raises ``ConfigurationError`` for a file that is not ours alone.
    """

    def __init__(self, *, keep: int = KEEP, file: Path | None = None) -> None:
        self._file = LedgerFile(file) if file else None
        self._keep = keep
        self.clear()

    def clear(self) -> None:
        """Forget every call; the file stays as it is."""
        self._calls: deque[Call] = deque()
        self._seen: Counter[str] = Counter()
        self._total = self._repeats = self._bytes = 0
        self._by_status: Counter[int] = Counter()

    def add(self, key: str | None, body: bytes, status: int) -> Call:
        """Record one call."""
        if key is not None:  # a header may have bytes that are no UTF-8
            key = key.encode("utf-8", "replace").decode()
        self._total += 1
        repeat = self._seen[key] if key is not None else 0
        call = Call(f"msg-{self._total}", key, repeat, status, now(), body)
        self._count(call)
        if self._file is not None:
            self._file.append(orjson.dumps(call.asdict()))
        return call

    def taken(self, key: str) -> Call | None:
        """The first of the kept calls under a key that was answered as taken."""
        return next((call for call in self._calls if call.key == key and call.status < 300), None)

    def page(self, offset: int, limit: int) -> dict[str, Any]:
        """Calls from ``offset``, oldest first, with the totals: ``calls`` and ``by_status`` of all that came."""
        calls = [call.asdict() for call in islice(self._calls, offset, offset + limit)]
        following = offset + len(calls)
        return {
            "totals": self._totals(),
            "calls": calls,
            "next": following if following < len(self._calls) else None,
        }

    def latest(self, limit: int) -> dict[str, Any]:
        """The latest calls, the latest first, with the totals."""
        calls = [call.asdict() for call in islice(reversed(self._calls), limit)]
        return {"totals": self._totals(), "data": calls}

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _totals(self) -> dict[str, Any]:
        return {
            "calls": self._total,
            "kept": len(self._calls),
            "keys": len(self._seen),
            "repeats": self._repeats,
            "by_status": {str(status): count for status, count in sorted(self._by_status.items())},
        }

    def _count(self, call: Call) -> None:
        self._calls.append(call)
        self._bytes += call.size
        self._by_status[call.status] += 1
        self._repeats += call.repeat > 0
        if call.key is not None:
            self._seen[call.key] += 1
        while self._bytes > self._keep and len(self._calls) > 1:
            self._forget(self._calls.popleft())

    def _forget(self, call: Call) -> None:
        self._bytes -= call.size
        if call.key is not None:
            self._seen[call.key] -= 1
            if not self._seen[call.key]:
                del self._seen[call.key]


class LedgerFile:
    """A file of this user alone, to which lines are added. A failed write is logged once, and is no error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _opened(path)
        self._failing = self._torn = False

    def append(self, line: bytes) -> None:
        """Add one line; breaks between the tokens of a body, if there are any, become spaces."""
        line = line.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        if self._torn:  # the disk was full in the middle of a line
            line = b"\n" + line
        try:
            self._write(line)
        except OSError as error:
            if not self._failing:
                log.error("calls are missing in the ledger file %s: %s", self._path, error.strerror)
            self._failing = True
        else:
            self._failing = self._torn = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, line: bytes) -> None:
        while line:
            written = os.write(self._file, line)
            line, self._torn = line[written:], self._torn or written > 0


def as_seen(text: str) -> str:
    """JSON text with invisible and control characters escaped; its value is the same."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _UNUSUAL.sub(
        lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text
    )


def parsed(body: bytes) -> Any:
    """The body as a JSON value; None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _opened(path: Path) -> int:
    try:
        file = os.open(path, _HOW, 0o600)
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise ConfigurationError(f"cannot open the ledger file {path}: {why}; name another one") from None
    if wrong := _not_ours(os.fstat(file)):
        os.close(file)
        raise ConfigurationError(f"refusing the ledger file {path}: {wrong}; name another one")
    os.fchmod(file, 0o600)  # it has the texts of messages
    return file


def _not_ours(found: os.stat_result) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "it is not a regular file"
    if found.st_uid != os.geteuid():
        return "it belongs to another user"
    return "it has a second name (a hard link)" if found.st_nlink > 1 else ""
