"""What is known to wait: of each queue its lanes with a backlog, and how many jobs of each lane come next.

Whose turn it is among the queues, ``Turns`` says. What a queue gets is split over its lanes by their weights, and what
a lane did not get of its part, because slots were few, it gets later: so the lower priorities age and never starve.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamq.model.lanes import GATE, LANES, QueueLane
from streamq.model.places import SEPARATOR, queue_of
from streamq.worker.turns import UNKNOWN, Turns


class Sources:
    """The sources with a backlog, in the order of ``turns``."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._lanes: dict[str, dict[int, int]] = {}
        """By queue, its lanes that have a backlog, and how long that is."""
        self._of: dict[str, str] = {}
        """By partition, its queue, where that has several: they share its turns."""
        self._inner: dict[str, Turns] = {}
        """By queue, the turns of its partitions."""
        self._owed: dict[QueueLane, int] = {}
        """By source, the parts of jobs that it is owed; below zero when it has got some of the next."""

    def __bool__(self) -> bool:
        return bool(self._turns)

    def __len__(self) -> int:
        """How many queues have a backlog."""
        return len(self._turns)

    @property
    def places(self) -> int:
        """How many partitions of queues have a backlog."""
        several = [inner for queue, inner in self._inner.items() if queue in self._turns]
        return len(self._turns) - len(several) + sum(map(len, several))

    def __contains__(self, source: QueueLane) -> bool:
        return source[1] in self._lanes.get(source[0], ())

    def learn(self, source: QueueLane, backlog: int = UNKNOWN) -> None:
        """So many jobs wait in a source."""
        queue, lane = source
        lanes = self._lanes.setdefault(queue, {})
        if backlog > 0:
            lanes[lane] = backlog
        else:
            lanes.pop(lane, None)
            self._owed.pop(source, None)
        backlog = min(UNKNOWN, sum(lanes.values()))
        if (whole := self._of.get(queue)) is not None:
            inner = self._inner[whole]
            inner.learn(queue, backlog)
            queue, backlog = whole, inner.backlog
        self._turns.learn(queue, backlog)

    def know(self, queues: Iterable[str]) -> None:
        """These are the queues, and the partitions of queues, that may be learned of."""
        names = list(queues)
        several = {queue_of(name) for name in names if SEPARATOR in name}
        self._of = {name: queue_of(name) for name in names if queue_of(name) in several}
        for queue in several.difference(self._inner):
            self._inner[queue] = Turns()
            if queue in self._turns:  # it had one partition so far
                self._inner[queue].learn(queue, sum(self._lanes.get(queue, {}).values()))

    def had(self, queue: str, count: int) -> None:
        """A queue got so many jobs out of its turn."""
        self._turns.had(self._of.get(queue, queue), count)

    def forget(self, queues: Iterable[str]) -> None:
        """The backlogs of these queues are not known any more."""
        for queue in queues:
            for lane in self._lanes.pop(queue, ()):
                self._owed.pop((queue, lane), None)
            whole = self._of.get(queue, queue)
            if whole in self._inner:
                self._inner[whole].forget((queue,))
                self._turns.learn(whole, self._inner[whole].backlog)
            else:
                self._turns.forget((queue,))

    def shares(self, slots: int, quantum: int = 1, row: int = 1) -> dict[QueueLane, int]:
        """By source, how many jobs to read in this round: all together ``slots``, and none zero. ``row`` is how many a
        partition of a queue gets before the next one has its turn."""
        shares: dict[QueueLane, int] = {}
        for queue, share in self._parts(self._turns.shares(slots, quantum), row):
            lanes = self._lanes[queue]
            if GATE in lanes:  # which gives of the other lanes too
                shares[queue, GATE] = share
            elif len(lanes) == 1:  # as in nearly all
                shares[queue, next(iter(lanes))] = share
            else:
                shares |= self._split(queue, lanes, share)
        return shares

    def _parts(self, shares: Mapping[str, int], row: int) -> Iterable[tuple[str, int]]:
        """The shares of queues, over the partitions of those that have several."""
        if not self._inner:
            return shares.items()
        parts: list[tuple[str, int]] = []
        for queue, share in shares.items():
            inner = self._inner.get(queue)
            parts += [(queue, share)] if inner is None else inner.shares(share, row).items()
        return parts

    def _split(self, queue: str, lanes: dict[int, int], share: int) -> dict[QueueLane, int]:
        """The share of a queue over its lanes, by weight, as far as each has a backlog: smooth weighted round robin."""
        weights = {lane: LANES[lane - 1].weight for lane in lanes}
        cycles = share // sum(weights.values())
        parts = {lane: min(backlog, cycles * weights[lane]) for lane, backlog in lanes.items()}
        for _ in range(share - sum(parts.values())):
            behind = [lane for lane, part in parts.items() if part < lanes[lane]]
            if not behind:
                break
            for lane in behind:
                self._owed[queue, lane] = self._owed.get((queue, lane), 0) + weights[lane]
            first = max(behind, key=lambda lane: self._owed[queue, lane])
            self._owed[queue, first] -= sum(weights[lane] for lane in behind)
            parts[first] += 1
        return {(queue, lane): part for lane, part in parts.items() if part}

    def served(self, source: QueueLane, asked: int, got: int) -> None:
        """A read of ``asked`` jobs gave ``got``."""
        backlog = self._lanes.get(source[0], {}).get(source[1], 0)
        if got < asked:
            self.learn(source, 0)
        elif backlog and backlog != UNKNOWN:
            self.learn(source, backlog - got)
