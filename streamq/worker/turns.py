"""Whose turn it is: queues known to have a backlog share the free slots, and continue where the last round ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

UNKNOWN: Final = 1 << 62
"""The backlog of a queue whose depth is not known: larger than any real one, so that it limits no share."""
NONE: Final[Mapping[str, int]] = MappingProxyType({})


class Turns:
    """A ring of the queues with a backlog. The one at the head is served until it has had its quantum.

    This is deficit round robin where every job weighs the same: what a queue did not get of its quantum, because slots
    were few, is its deficit, and it keeps its place for that. A queue that becomes empty loses its deficit. The quantum
    is the same for a whole circle: one that changes within it would give to some what others do not get.
    ``weights`` are by how much the quantum of a queue is larger; 1 for those not named. With ``strict``, the queues in
    their order, none gets anything while one before it has a backlog.
    """

    def __init__(self, weights: Mapping[str, int] = NONE, *, strict: Sequence[str] = ()) -> None:
        self._ring: OrderedDict[str, int] = OrderedDict()
        self._had: dict[str, int] = {}
        """What a queue has had already of the quantum that comes next."""
        self._quantum, self._left = 1, 0
        """The quantum of this circle, and how many turns are left of it."""
        self._weights = {queue: weight for queue, weight in weights.items() if weight != 1}
        self._strict = strict

    def __bool__(self) -> bool:
        return bool(self._ring)

    def __len__(self) -> int:
        return len(self._ring)

    def __contains__(self, queue: str) -> bool:
        return queue in self._ring

    @property
    def backlog(self) -> int:
        """How many jobs wait in all of them."""
        return min(UNKNOWN, sum(self._ring.values()))

    def learn(self, queue: str, backlog: int = UNKNOWN) -> None:
        """The queue has so many waiting jobs. It keeps its place, or gets the last one."""
        if backlog > 0:
            self._ring[queue] = backlog
        else:
            self.forget((queue,))

    def had(self, queue: str, count: int) -> None:
        """The queue got so many jobs out of its turn: they count in the next one."""
        if queue in self._ring:
            self._had[queue] = self._had.get(queue, 0) + count

    def forget(self, queues: Iterable[str]) -> None:
        """Remove queues whose backlog is no longer known."""
        for queue in queues:
            self._ring.pop(queue, None)
            self._had.pop(queue, None)

    def shares(self, slots: int, quantum: int = 1) -> dict[str, int]:
        """By queue, how many jobs to read in this round: all together ``slots``, and none zero.

        ``quantum`` is how many jobs a queue gets before the next one has its turn, from the next circle on.
        """
        if not self._ring:
            return {}
        if self._strict:
            return self._in_order(slots)
        weight = self._weights.get
        whole = quantum * (
            sum(weight(queue, 1) for queue in self._ring) if self._weights else len(self._ring)
        )
        cycles, slots = divmod(slots, whole)
        shares = {queue: cycles * quantum * weight(queue, 1) for queue in self._ring} if cycles else {}
        while slots > 0:
            if self._left <= 0:
                self._quantum, self._left = quantum, len(self._ring)
            queue = next(iter(self._ring))
            own, had = self._quantum * weight(queue, 1), self._had.pop(queue, 0)
            share = max(0, min(slots, own - had))
            if share:
                shares[queue] = shares.get(queue, 0) + share
                slots -= share
            if had + share < own:
                self._had[queue] = had + share
                break
            if had > own:
                self._had[queue] = had - own
            self._left -= 1
            self._ring.move_to_end(queue)
        return shares

    def _in_order(self, slots: int) -> dict[str, int]:
        shares = {}
        for queue in self._strict:
            if slots > 0 and queue in self._ring:
                shares[queue] = min(slots, self._ring[queue])
                slots -= shares[queue]
        return shares
