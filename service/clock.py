"""The host's wall clock, and milliseconds as JSON has times.

The clock refuses a date in the past and shows times; it never decides what is due.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


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
