"""The host's wall clock, and milliseconds as JSON has times.

The clock refuses a date in the past and shows times; it never decides what is due.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from time import time


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


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
