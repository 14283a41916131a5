"""The audit trail: who has done what to a queue, its jobs and its schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.times import rfc3339

DETAILS: Final = 2_000
"""Bytes of the details of an act at most: reasons of people are shorter."""


LAST: Final = 253_402_300_799_000
"""The last ms that a ``datetime`` can say: an id of a stream may be any number."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An act of a person. ``at`` is aware, in UTC, by the server's clock."""

    id: str
    at: datetime
    actor: str
    action: str
    """What was done, such as ``queue.pause`` or ``job.cancel``."""
    queue: str
    subject: str = ""
    """The id of the job or of the operation, or the name of the schedule or task; empty for the queue itself."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What was asked for: reasons and bounds, never a payload."""

    def asdict(self) -> dict[str, Any]:
        """The entry as JSON has it; times in RFC 3339."""
        return {
            "id": self.id, "at": rfc3339(self.at), "actor": self.actor, "action": self.action, "queue": self.queue,
            "subject": self.subject, "details": dict(self.details),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, the latest first."""

    items: Sequence[AuditEntry]
    next: str | None
    """The cursor of the next page; ``None`` when this is the last."""


def written(details: Mapping[str, Any]) -> bytes:
    """Details as an entry has them: what is empty is left out, and what is too long is said to be."""
    told = codec.dumps({name: value for name, value in details.items() if value not in (None, "", [], {})})
    return told if len(told) <= DETAILS else codec.dumps({"too_long": sorted(details)[:20]})


def entry(queue: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> AuditEntry:
    """An entry as the key has it; what is missing or cannot be read is empty, for anybody may have written it."""
    names = (b"actor", b"action", b"subject", b"of")
    who, action, subject, of = (fields.get(name, b"").decode("utf-8", "replace") for name in names)
    try:
        details = codec.loads(fields.get(b"details", b"{}"))
    except ValueError:
        details = {}
    details = details if isinstance(details, dict) else {}
    number = entry_id.decode()
    at = from_ms(min(int(number.partition("-")[0]), LAST))
    return AuditEntry(number, at, who, action, of or queue, subject, details)
