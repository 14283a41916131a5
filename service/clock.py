"""The host's wall clock, and times as JSON has them (RFC 3339).

The clock refuses a date in the past and shows times; it never decides what is due.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from time import time
from typing import Final

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def rfc3339(at: datetime, unit: str = "milliseconds") -> str:
    """A UTC time as JSON has it: ``2030-01-31T09:00:00.000Z``."""
    return at.isoformat(timespec=unit).replace("+00:00", "Z")


def rfc3339_of_ms(milliseconds: int) -> str:
    """The time that many milliseconds after the epoch, as JSON has it."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(64)  # what comes in a second is told in the same one
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def http_date() -> str:
    """The time, as the header ``Date`` has it."""
    return _http_date(int(time()))


@lru_cache(1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


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
