"""How many partitions a queue shall have on so many nodes, how evenly they lie there, and what they cost by the job."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache
from typing import Final

from streamq import slot_of_partition

MOST: Final = 64
"""Partitions of a queue at most."""
SEVERAL: Final = 4
"""Partitions to a node, at least: one more node then takes some of each."""
LEAST: Final = 3
"""Nodes of a cluster."""
EVEN: Final = 1.05
"""By how much the fullest node may be above the average where there is a choice."""
CLUSTERED: Final = 1.1
"""A node of a cluster looks up the slot of each command and keeps the keys of each slot together: 7 to 16 % were
measured by the scenario `partitions`."""
NAME: Final = "sms"
"""A queue that stands for all: from the slot of its name the others follow."""
SLOTS: Final = 16_384
PART: Final = 50
"""Jobs that a call for many is not parted into less than."""
CYCLE: Final = 0.5
"""Seconds in which a worker reads all partitions, each some time."""


@cache
def fullest(nodes: int, partitions: int) -> float:
    """Partitions on the fullest node as a multiple of the average, with equal ranges of the slots for all nodes."""
    on = Counter(slot_of_partition(NAME, number) * nodes // SLOTS for number in range(partitions))
    return max(on.values()) * nodes / partitions


@cache
def right(nodes: int) -> int:
    """The fewest partitions that are several to a node and evenly spread, else those most evenly spread."""
    if nodes == 1:
        return 1
    counts = range(min(MOST, SEVERAL * nodes), MOST + 1)
    even = (count for count in counts if fullest(nodes, count) <= EVEN)
    return next(even, min(counts, key=lambda count: fullest(nodes, count)))


def parts_of_call(jobs: int, partitions: int) -> int:
    """Calls that become of one for so many jobs."""
    return max(1, min(partitions, math.ceil(jobs / PART)))


def parts_of_batch(batch: float, awaits: float, partitions: int) -> float:
    """Over how many partitions the jobs lie, on average, that end together: those whose handlers await are read from
    one partition after the other while they run, and each of a batch may be of any of these."""
    running = min(float(partitions), 1 + awaits * partitions / CYCLE) if partitions > 1 else 1.0
    return running * float(1 - (1 - 1 / running) ** batch)


def of_cluster(nodes: int) -> float:
    """What a job costs a node of a cluster, as a multiple of what it costs a server of its own."""
    return CLUSTERED if nodes > 1 else 1.0
