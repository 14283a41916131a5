"""A simulation of what does not fit on one machine: many partitions on many nodes, under trouble.

    arrive ──> a partition's line ──> its server, one batch after the other ──> done
                                      (down while its node is lost)

It moves batches, not jobs, so that a million jobs a second are some ten thousand steps. Gaps between batches are
exponential, serving a batch takes its jobs' time at the partition's capacity: an M/D/1 queue for each partition
(Kendall 1953). A batch starts when it is there and the one before it is done (Lindley 1952).
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal, get_args

from ..figures import percentile

BATCHES: Final = 200_000
"""Batches of one simulation, about."""

Name = Literal["calm", "node-loss", "flood"]
NAMES: Final[tuple[Name, ...]] = get_args(Name)


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

    @property
    def over(self) -> float:
        """When trouble ends."""
        return self.at + self.lasts

    def up(self, moment: float, partition: int) -> float:
        """From when on a partition can begin a batch: the first node is lost, and partitions lie on nodes in turn."""
        lost = self.name == "node-loss" and partition % self.nodes == 0 and self.at <= moment < self.over
        return self.over if lost else moment


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


def simulate(one: Scenario) -> Outcome:
    """Run a scenario once, until the lines are empty. The same seed gives the same outcome."""
    batch = max(1.0, one.rate * one.seconds / BATCHES)
    grain = batch / one.capacity
    free, served = [0.0] * one.partitions, [0] * one.partitions
    waits: dict[str, list[float]] = {}
    moves: list[tuple[float, int]] = []
    for at, partition, who in _arrivals(one, batch):
        start = one.up(max(at, free[partition]), partition)
        free[partition] = start + grain
        served[partition] += 1
        waits.setdefault(who, []).append(start - at)
        if start > at:
            moves += [(at, 1), (start, -1)]
    most, recovery = _backlog(one, sorted(moves))
    return Outcome(
        {who: (percentile(seconds, 0.5), percentile(seconds, 0.99)) for who, seconds in sorted(waits.items())},
        round(most * batch), recovery, max(served) * grain / max(one.seconds, *free), round(sum(served) * batch), grain,
    )  # fmt: skip


def _arrivals(one: Scenario, batch: float) -> Iterator[tuple[float, int, str]]:
    """When a batch comes, to which partition, and whose it is."""
    dice = random.Random(one.seed)  # noqa: S311  # repeatable, not secret

    def stream(rate: float, now: float, until: float, who: str) -> Iterator[tuple[float, int, str]]:
        while (now := now + dice.expovariate(rate / batch)) <= until:
            pinned = one.pinned and who == "tenant"
            yield now, 0 if pinned else dice.randrange(one.partitions), who

    if one.name != "flood":
        return stream(one.rate, 0.0, one.seconds, "all")
    tenant = stream(one.rate * one.flood, one.at, one.over, "tenant")
    return heapq.merge(stream(one.rate, 0.0, one.seconds, "others"), tenant)


def _backlog(one: Scenario, moves: Sequence[tuple[float, int]]) -> tuple[int, float | None]:
    """The most batches that waited, and the recovery; ``moves`` are by time, one that comes 1, one that starts -1."""
    levels = list(zip((now for now, _ in moves), accumulate(move for _, move in moves), strict=True))
    most = max((waiting for _, waiting in levels), default=0)
    if one.name == "calm":
        return most, None
    before = max((waiting for now, waiting in levels if now < one.at), default=0)
    last = next((waiting for now, waiting in reversed(levels) if now < one.over), 0)
    after = (now for now, waiting in levels if now >= one.over and waiting <= before)
    recovered = one.over if last <= before else next(after, math.inf)
    return most, recovered - one.over if recovered <= one.seconds else None
