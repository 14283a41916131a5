"""The lanes of a queue: the streams from which its jobs are delivered. A new lane is one more row.

A lane's number is its place in the table, from 1. It stands in ``moved`` beside each job that re-entered a stream, so
a row keeps its place for ever and a new one comes at the end.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Lane(NamedTuple):
    """One lane of a queue."""

    name: str
    """How the key of its stream ends, and its name in the scripts."""
    meaning: str
    births: bool = False
    """Whether jobs are born in it: then a job's id is that of its entry there."""
    priority: str = ""
    """The priority of the jobs in it; empty for the lane of suspects, which come first when a worker is idle."""
    weight: int = 0
    """Its share of what a worker fetches, beside those of the other lanes that have work."""


QueueLane = tuple[str, int]
"""A queue and the number of one of its lanes."""

READY: Final = 1
"""The number of the lane of jobs of normal priority, as most are."""
ALONE: Final = 2
"""The number of the lane of suspects."""
GATE: Final = 6
"""The number of the lane of jobs that the gate lets through: nobody reads it but the gate."""
BELL: Final = 0
"""What stands in the place of a lane's number for the bell, on which workers wait for the gate."""
NORMAL: Final = "normal"
"""The priority of a job that says nothing of it."""

LANES: Final = (
    Lane("ready", "jobs of normal priority; a worker reads as many as it has free slots", True, NORMAL, 2),
    Lane(
        "alone",
        "suspects: jobs that crashed their workers, delivered one at a time to a worker that runs nothing",
    ),
    Lane("critical", "jobs of critical priority; made when the first comes", True, "critical", 8),
    Lane("high", "jobs of high priority; made when the first comes", True, "high", 4),
    Lane("low", "jobs of low priority; made when the first comes", True, "low", 1),
    Lane(
        "passed",
        "jobs of groups that were let through, each delivered in the same moment; made when the first comes",
    ),
)
NUMBERS: Final = tuple(range(1, len(LANES) + 1))
ALWAYS: Final = (READY, ALONE)
"""The lanes that every queue has."""

BY_PRIORITY: Final = {lane.priority: number for number, lane in enumerate(LANES, 1) if lane.priority}
"""The number of the lane of each priority."""
PRIORITIES: Final = tuple(sorted(BY_PRIORITY, key=lambda name: -LANES[BY_PRIORITY[name] - 1].weight))
"""The priorities, the highest first."""

BIRTHS: Final = 1 << 44
"""Ids born in lane ``n`` other than ``ready`` have ``n`` times this and more behind their dash, which tells the lane.

In ``ready`` the server numbers the entries of a millisecond from 0, so it never comes so far.
"""
