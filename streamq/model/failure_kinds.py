"""Kinds of failed jobs that failed alike: the fingerprint that they share, and what is known of the kind."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.places import queue_of, shown_id
from streamq.times import rfc3339

OTHER: Final = "other"
"""The kind of failures for which there is no room for one of their own: ``parts/failure_kinds.lua`` has the bound."""
HOURS: Final = 24
"""Hours of which a kind's failures are counted one by one: enough to see whether it grows."""
_HOUR: Final = 3_600_000
_COMPARED: Final = 500
"""Characters of a message that are compared: what comes later is mostly data."""
_TASK: Final = 800
"""Bytes of the name of a task that a kind has: 200 characters, as many as a name may have, of four bytes each."""
_LONG: Final = 2_000
"""Characters of a message that are read for that."""

_QUOTED: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|“[^“”\n]*”")
_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]+\b")
_WORD: Final = re.compile(r"[\w+@./:-]+")
_DIGIT: Final = re.compile(r"\d")


def alike(message: str) -> str:
    """A message without what differs from one job to the next: numbers, ids, and what is quoted.

    Each character is read a few times at most, whatever the message.
    """
    text = _QUOTED.sub("'…'", message[:_LONG])
    return " ".join(_WORD.sub(_numberless, _ADDRESS.sub("#", text)).split())[:_COMPARED]


def _numberless(word: re.Match[str]) -> str:
    """A word with a digit in it is a number, an id, an address, a time."""
    return "#" if _DIGIT.search(word[0]) else word[0]


def fingerprint(task: str, kind: str, frame: str, message: str) -> str:
    """What jobs that failed alike have in common: task, type of the error, own frame, and message as ``alike``."""
    return _digest("\n".join((task, kind, frame, alike(message))).encode("utf-8", "replace"))


def unsaid(task: bytes, kind: str) -> str:
    """The fingerprint of a failed job whose record says none, as ``lua/parts/failure_kinds.lua`` has it, too."""
    return _digest(b"%b\n%b\n\n" % (task, kind.encode("utf-8", "replace")))


def _digest(text: bytes) -> str:
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()[:12]


def outcome_of(task: str, kind: str, message: str, frame: str = "") -> bytes:
    """The outcome of a failed job as its record has it: the fingerprint is first, where the scripts look for it."""
    said = {"fingerprint": fingerprint(task, kind, frame, message), "type": kind, "message": message}
    return codec.dumps({**said, **({"frame": frame} if frame else {})})


@dataclass(frozen=True, slots=True)
class FailureKind:
    """Failed jobs of a queue that failed alike. Times are aware, in UTC, by the server's clock."""

    fingerprint: str
    """What they have in common, as text; ``other`` has those for which there was no room for a kind of their own."""
    queue: str
    task: str = ""
    type: str = ""
    """The type of the error."""
    message: str = ""
    """That of the first of them."""
    frame: str = ""
    """Where in the program's own code they failed, as ``module:function``."""
    sample: str = ""
    """The id of the last of them."""
    count: int = 0
    """How many have failed so since the kind is known, those that were retried or deleted since among them."""
    failed: int = 0
    """How many of them are failed now."""
    first_at: datetime | None = None
    last_at: datetime | None = None
    trend: tuple[int, ...] = ()
    """How many failed in each of the last 24 hours, the latest last, by the hours of the clock."""

    def asdict(self) -> dict[str, Any]:
        """The kind as JSON has it; times in RFC 3339."""
        return {
            "fingerprint": self.fingerprint, "queue": self.queue, "task": self.task, "type": self.type,
            "message": self.message, "frame": self.frame, "sample": self.sample, "count": self.count,
            "failed": self.failed, "first_at": rfc3339(self.first_at), "last_at": rfc3339(self.last_at),
            "trend": list(self.trend),
        }  # fmt: skip


def is_of_one_task(kind: FailureKind) -> bool:
    """Whether all of its jobs are of its task: not where that could not be read, or was too long for the key."""
    return kind.fingerprint != OTHER and 0 < len(kind.task.encode("utf-8", "replace")) < _TASK


def kind_of(queue: str, name: bytes, raw: bytes, failed: int = 0, now: int = 0) -> FailureKind:
    """A kind as its key has it, as far as that can be read; ``now`` is that of its trend."""
    said = _read(raw)
    texts = {key: str(said.get(key, "")) for key in ("task", "type", "message", "frame", "sample")}
    if texts["sample"]:
        texts["sample"] = shown_id(queue, texts["sample"])
    return FailureKind(
        name.decode("utf-8", "replace"), queue_of(queue), **texts, count=_count(said.get("count")), failed=failed,
        first_at=_time(said.get("first")), last_at=_time(said.get("last")), trend=_trend(said, now),
    )  # fmt: skip


def _read(raw: bytes) -> dict[str, Any]:
    try:
        said = codec.loads(raw.decode("utf-8", "replace"))
    except codec.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else 0


def _time(ms: Any) -> datetime | None:
    return from_ms(ms) if 0 < _count(ms) < 2**47 else None


def _trend(said: dict[str, Any], now: int) -> tuple[int, ...]:
    """Its counts by the hour, moved to the hour of ``now``."""
    hours = said.get("hours")
    counts = [_count(each) for each in hours] if isinstance(hours, list) else []
    passed = max(0, now // _HOUR - _count(said.get("hour")))
    counts = ([0] * HOURS + counts + [0] * min(passed, HOURS))[-HOURS:]
    return tuple(counts)
