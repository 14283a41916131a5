"""Times as JSON has them (RFC 3339): written and read here."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


class NoTime(ValueError):
    """A text that is no RFC 3339 time. ``code`` says why: ``time`` or ``time_zone``."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def rfc3339(at: datetime | None, unit: str = "milliseconds") -> str | None:
    """A time of UTC as text, to the ``unit``: ``2026-11-26T09:00:00.000Z``; ``None`` stays ``None``."""
    return at.isoformat(timespec=unit).replace("+00:00", "Z") if at else None


def looks_like_a_time(value: object) -> bool:
    """Whether a text that is a duration or a time is meant to be a time: it begins as a date does."""
    return isinstance(value, str) and value[:4].isdigit() and value[4:5] == "-"


def parse_rfc3339(text: object) -> datetime:
    """The time in UTC. Raises ``NoTime`` for anything but an RFC 3339 time with its zone."""
    found = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise NoTime("time", "must be an RFC 3339 time")
    if not found["zone"]:
        raise NoTime("time_zone", "has no time zone")
    try:
        return datetime.fromisoformat(found[0].upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NoTime("time", "is not a time that exists") from error
