"""A discrete event simulation of what does not fit on one machine: many partitions on many nodes, under trouble.

    arrive ──> a partition's line ──> its server, one batch after the other ──> done
                                      (down while its node is lost)

An event moves a batch, not a job, so that a million jobs a second are some ten thousand events. Gaps between batches
are exponential, serving a batch takes its jobs' time at the partition's capacity: an M/D/1 queue for each
partition (Kendall 1953), which the mean wait of the calm scenario must agree with (Pollaczek-Khinchine).
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from ..figures import percentile

BATCHES: Final = 200_000
"""Batches of one simulation, about."""

Name = Literal["calm", "node-loss", "flood"]
NAMES: Final[tuple[Name, ...]] = ("calm", "node-loss", "flood")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated. Rates in jobs a second, times in seconds."""

    name: Name
    rate: float
    partitions: int
    nodes: int
    capacity: float
    """What one partition can do."""
    seconds: float = 60.0
    at: float = 10.0
    """When trouble begins."""
    lasts: float = 5.0
    """How long a node is away, or a tenant floods."""
    flood: float = 0.5
    """The tenant's rate, as a share of ``rate``."""
    pinned: bool = False
    """Whether all jobs of the tenant go to one partition, as they must to keep their order."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.nodes > self.partitions:
            raise ValueError(
                f"{self.nodes} nodes for {self.partitions} partitions: some would have nothing to do"
            )
        if self.rate >= self.partitions * self.capacity:
            raise ValueError(
                f"{self.partitions} partitions of {self.capacity:,.0f} jobs/s cannot keep up with "
                f"{self.rate:,.0f} jobs/s: simulate more of them"
            )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out. Waits are from arrival to start, in seconds; backlogs in jobs."""

    waits: dict[str, tuple[float, float]]
    """Median and p99 of all others and of the tenant, if there is one."""
    backlog: int
    """The most jobs that waited at once."""
    recovery: float | None
    """From the end of the trouble until no more waited than before it; None without trouble, or past the time."""
    busiest: float
    """The utilisation of the busiest partition."""
    jobs: int
    grain: float
    """Seconds one batch is served: waits of this order are the simulation's own."""


@dataclass(slots=True)
class _Partition:
    line: deque[tuple[float, bool]] = field(default_factory=deque)
    serving: bool = False
    down: bool = False
    busy: float = 0.0


class Simulation:
    """One run. The same scenario with the same seed gives the same outcome."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._batch = max(1.0, scenario.rate * scenario.seconds / BATCHES)
        self._random = random.Random(scenario.seed)  # noqa: S311  # repeatable, not secret
        self._partitions = [_Partition() for _ in range(scenario.partitions)]
        self._events: list[tuple[float, int, Callable[..., None], int]] = []
        self._number = self._waiting = self._most = self._before = 0
        self._recovered: float | None = None
        self._waits: dict[bool, list[float]] = {False: [], True: []}
        self._now = 0.0
        self._done = 0

    def run(self) -> Outcome:
        """To the end of the time, and until the lines are empty."""
        one = self._scenario
        for partition in range(one.partitions):
            self._later(self._gap(one.rate / one.partitions), self._arrive, partition)
        if one.name == "node-loss":
            self._later(one.at, self._lose, 0)
        if one.name == "flood":
            self._later(one.at, self._flood, 0)
        while self._events:
            self._now, _, act, partition = heapq.heappop(self._events)
            act(partition)
            self._look()
        return self._outcome()

    # -- events ---------------------------------------------------------------------------------------------

    def _later(self, seconds: float, act: Callable[..., None], partition: int) -> None:
        self._number += 1  # events at the same time keep their order
        heapq.heappush(self._events, (self._now + seconds, self._number, act, partition))

    def _gap(self, rate: float) -> float:
        return self._random.expovariate(rate / self._batch)

    def _arrive(self, partition: int) -> None:
        if self._now > self._scenario.seconds:
            return
        self._later(self._gap(self._scenario.rate / self._scenario.partitions), self._arrive, partition)
        self._join(partition, tenant=False)

    def _flood(self, _: int) -> None:
        one = self._scenario
        if self._now > one.at + one.lasts:
            return
        self._later(self._gap(one.rate * one.flood), self._flood, 0)
        self._join(0 if one.pinned else self._random.randrange(one.partitions), tenant=True)

    def _join(self, partition: int, *, tenant: bool) -> None:
        self._partitions[partition].line.append((self._now, tenant))
        self._waiting += 1
        self._serve(partition)

    def _serve(self, partition: int) -> None:
        one = self._partitions[partition]
        if one.serving or one.down or not one.line:
            return
        arrived, tenant = one.line.popleft()
        self._waiting -= 1
        self._waits[tenant].append(self._now - arrived)
        seconds = self._batch / self._scenario.capacity
        one.serving, one.busy = True, one.busy + seconds
        self._later(seconds, self._end, partition)

    def _end(self, partition: int) -> None:
        self._partitions[partition].serving = False
        self._done += 1
        self._serve(partition)

    def _lose(self, node: int) -> None:
        for partition in range(node, self._scenario.partitions, self._scenario.nodes):
            self._partitions[partition].down = True
            self._later(self._scenario.lasts, self._return, partition)

    def _return(self, partition: int) -> None:
        self._partitions[partition].down = False
        self._serve(partition)

    # -- what is seen ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._most = max(self._most, self._waiting)
        one = self._scenario
        if self._now < one.at:
            self._before = max(self._before, self._waiting)
        elif self._recovered is None and self._waiting <= self._before and one.name != "calm":
            end = one.at + one.lasts
            self._recovered = self._now - end if end <= self._now <= one.seconds else None

    def _outcome(self) -> Outcome:
        names = {False: "others" if self._waits[True] else "all", True: "tenant"}
        waits = {
            names[tenant]: (percentile(waits, 0.5), percentile(waits, 0.99))
            for tenant, waits in self._waits.items()
            if waits
        }
        busiest = max(one.busy for one in self._partitions) / max(self._now, self._scenario.seconds)
        return Outcome(
            waits, round(self._most * self._batch), self._recovered, busiest, round(self._done * self._batch),
            self._batch / self._scenario.capacity,
        )  # fmt: skip


def simulate(scenario: Scenario) -> Outcome:
    """Run a scenario once."""
    return Simulation(scenario).run()
