"""How much room the queue server has, and for how long: from what it used whenever somebody looked.

What its memory will be nobody knows: where it has no limit, where too little was seen, or where memory does not grow
beyond its ups and downs, nothing is said.
"""

from __future__ import annotations

from collections import deque
from statistics import fmean
from time import monotonic
from typing import Final, NamedTuple

from streamq import App, ServerState

SEEN: Final = 3600.0
"""Seconds of which looks are remembered."""
APART: Final = 5.0
"""Seconds between two looks that are remembered."""
LEAST: Final = 300.0
"""Seconds between the first look and the last without which nothing is said: shorter, any growth is chance."""
FEWEST: Final = 4
"""Looks without which nothing is said."""


class _Look(NamedTuple):
    at: float
    used: int


class Room:
    """Of the server of an app."""

    def __init__(self, engine: App) -> None:
        self._engine = engine
        self._looks: deque[_Look] = deque(maxlen=int(SEEN / APART))

    async def state(self) -> ServerState:
        """How the server is now. Raises ``Unavailable``."""
        state = await self._engine.server()
        self.saw(state.memory, monotonic())
        return state

    def saw(self, used: int, at: float) -> None:
        """So many bytes were used ``at`` a monotonic time; 0 where the server does not say."""
        if used and not (self._looks and at - self._looks[-1].at < APART):
            self._looks.append(_Look(at, used))

    def hours_left(self, state: ServerState) -> float | None:
        """Hours until its memory is full, if it grows on as in the last hour; ``None`` where that is not known."""
        growth = self._growth()
        if growth is None or not state.memory_limit:
            return None
        return max(0.0, (state.memory_limit - state.memory) / growth / 3600)

    def _growth(self) -> float | None:
        """Bytes a second; ``None`` unless all that was used lately is more than all before."""
        looks = [look for look in self._looks if look.at > self._looks[-1].at - SEEN]
        if len(looks) < FEWEST or looks[-1].at - looks[0].at < LEAST:
            return None
        before, lately = looks[: len(looks) // 2], looks[len(looks) // 2 :]
        if min(look.used for look in lately) <= max(look.used for look in before):
            return None
        seconds = fmean(look.at for look in lately) - fmean(look.at for look in before)
        return (fmean(look.used for look in lately) - fmean(look.used for look in before)) / seconds
