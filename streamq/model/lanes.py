"""The lanes of a queue: the streams from which its jobs are delivered. A new lane is one more row.

A lane's number is its place in the table, from 1. It stands in ``moved`` beside each job that re-entered a stream, so
a row keeps its place for ever and a new one comes at the end.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Lane(NamedTuple):
    """One lane: the name of its stream in ``Keys`` and in the scripts, and which jobs lie in it."""

    name: str
    meaning: str


READY: Final = 1
"""The number of the lane of jobs that are no suspects."""
ALONE: Final = 2
"""The number of the lane of suspects."""

LANES: Final = (
    Lane("ready", "jobs that are no suspects; a worker reads as many as it has free slots"),
    Lane(
        "alone",
        "suspects: jobs that crashed their workers, delivered one at a time to a worker that runs nothing",
    ),
)
NUMBERS: Final = tuple(range(1, len(LANES) + 1))
