"""Time, in the one place that may ask for it.

Redis' clock decides what is due and what is old; scripts read it once, at their top. A worker knows that clock
by ``ServerClock``: readings that scripts returned, carried on by this machine's monotonic clock. The host's
wall clock has no say.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import UTC, datetime

monotonic = time.monotonic
"""Seconds that never go back: for measuring and for waiting."""

stamp = time.time
"""The host's wall clock in seconds since the epoch: for log records alone."""


class ServerClock:
    """An estimate of the server's clock in milliseconds, good to one round trip.

    It is never ahead, except after that clock was set back, until the readings from before that are forgotten.
    """

    __slots__ = ("_offset", "_readings")

    def __init__(self) -> None:
        self._offset = 0.0
        self._readings: deque[float] = deque(maxlen=16)  # enough that one of them came without delay

    def set(self, server_ms: int) -> None:
        """Take a reading that a script has just returned. Each is late by its transfer: the least late one is used."""
        self._readings.append(server_ms - monotonic() * 1000)
        self._offset = max(self._readings)

    def now(self) -> int:
        """Milliseconds since the epoch by the server's clock; 0 when no reading was taken yet."""
        return int(monotonic() * 1000 + self._offset) if self._offset else 0


def host_now() -> datetime:
    """The host's wall clock: for refusing a date in the past and for naming things, never for what is due."""
    return datetime.now(UTC)


def from_ms(ms: float) -> datetime:
    """Milliseconds since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_ms(at: datetime) -> int:
    """An aware time as milliseconds since the epoch.

    Raises ``ValueError`` when ``at`` has no time zone.
    """
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone: use an aware datetime, as datetime.now(UTC)")
    return int(at.timestamp() * 1000)
