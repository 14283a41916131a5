"""The host's wall clock: to refuse a date in the past and to show times, never to decide what is due."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def rfc3339(at: datetime, unit: str = "milliseconds") -> str:
    """A UTC time as JSON has it: ``2030-01-31T09:00:00.000Z``."""
    return at.isoformat(timespec=unit).replace("+00:00", "Z")
