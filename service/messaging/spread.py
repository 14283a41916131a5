"""Jitter: waits made longer at random, never shorter, so that messages with the same wait do not return together."""

from __future__ import annotations

import heapq
import random
import time
from typing import Final

SHARE: Final = 0.25
"""A wait is made longer by up to this share of it, which delays no message much,"""
APART: Final = 0.02
"""or by up to this many seconds for each waiting message (50 a second return), where that is more,"""
CROWD: Final = 3_000
"""but for no more than this many messages, which is a minute."""


class Spread:
    """One per worker process: knows how many of its messages wait now."""

    def __init__(self) -> None:
        self._due: list[float] = []

    def longer(self, wait: float) -> float:
        """``wait`` seconds and some more."""
        now = time.monotonic()
        while self._due and self._due[0] <= now:
            heapq.heappop(self._due)
        room = max(wait * SHARE, len(self._due) * APART)
        chosen = wait + room * random.random()  # noqa: S311  # jitter, not a secret
        if len(self._due) < CROWD:
            heapq.heappush(self._due, now + chosen)
        return chosen
