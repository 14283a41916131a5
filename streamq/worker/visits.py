"""In which of its queues a worker beats next: in few of them each time, in many where it has work, and in the others in
turn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from streamq.model.clock import monotonic
from streamq.model.pace import VISIT, is_many


class Visits:
    """The visits to ``queues``; ``busy()`` names those in which this worker has work. For one thread."""

    def __init__(self, queues: Sequence[str], busy: Callable[[], Collection[str]] = tuple) -> None:
        self._queues, self._busy = queues, busy
        self.are_many = is_many(len(queues))
        """Whether there are too many to visit all at each beat."""
        self._at = 0
        self._owed, self._since = 0.0, monotonic()

    def all(self) -> Sequence[str]:
        """All of them, and the turns begin anew."""
        self._at, self._owed, self._since = 0, 0.0, monotonic()
        return self._queues

    def of_beat(self) -> Sequence[str]:
        """Those of a beat."""
        return tuple(self._busy()) if self.are_many else self._queues

    def in_turn(self) -> Sequence[str]:
        """Those whose turn has come since the last time: each comes once in ``VISIT`` seconds."""
        if not self.are_many:
            return ()
        now = monotonic()
        self._owed += len(self._queues) * min(now - self._since, VISIT) / VISIT
        self._since, count = now, int(self._owed)
        self._owed -= count
        turn = [self._queues[at % len(self._queues)] for at in range(self._at, self._at + count)]
        self._at = (self._at + count) % len(self._queues)
        return turn
