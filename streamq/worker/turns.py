"""Whose turn it is: queues known to have a backlog share the free slots, and continue where the last round ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Final

UNKNOWN: Final = 1 << 62
"""The backlog of a queue of which no more is known than that it has one."""


class Turns:
    """A ring of the queues with a backlog. Each round serves those at its head, and they go to its end.

    This is deficit round robin where every job weighs the same: a queue is never owed more than one job, and its
    place in the ring says so.
    """

    def __init__(self) -> None:
        self._ring: OrderedDict[str, int] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._ring)

    def learn(self, queue: str, backlog: int = UNKNOWN) -> None:
        """The queue has so many waiting jobs. It keeps its place, or gets the last one."""
        if backlog > 0:
            self._ring[queue] = backlog
        else:
            self._ring.pop(queue, None)

    def forget(self, queues: Iterable[str]) -> None:
        """Nothing is known of these queues any more."""
        for queue in queues:
            self._ring.pop(queue, None)

    def shares(self, slots: int) -> dict[str, int]:
        """By queue, how many jobs to read in this round: all together at most ``slots``, and none zero."""
        chosen = list(islice(self._ring, slots))
        if not chosen:
            return {}
        each, extra = divmod(slots, len(chosen))
        for queue in chosen[extra:] + chosen[:extra]:  # who gets one more waits behind who does not
            self._ring.move_to_end(queue)
        return {queue: each + (place < extra) for place, queue in enumerate(chosen)}

    def served(self, queue: str, asked: int, got: int) -> None:
        """A read of ``asked`` jobs gave ``got``."""
        if got < asked:
            self._ring.pop(queue, None)
        elif (known := self._ring.get(queue, UNKNOWN)) != UNKNOWN:
            self.learn(queue, known - got)
