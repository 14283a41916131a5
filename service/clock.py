"""The host's wall clock, and times as JSON has them (RFC 3339).

The clock refuses a date in the past and shows times; it never decides what is due.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def at_ms(milliseconds: float) -> datetime:
    """The time that many milliseconds after the epoch, in UTC."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def rfc3339(at: datetime, unit: str = "milliseconds") -> str:
    """A UTC time as JSON has it: ``2030-01-31T09:00:00.000Z``."""
    return at.isoformat(timespec=unit).replace("+00:00", "Z")


class NoTime(ValueError):
    """A text that is no RFC 3339 time. ``code`` says why: ``time`` or ``time_zone``."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


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
