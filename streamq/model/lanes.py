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


READY: Final = 1
"""The number of the lane of jobs that are no suspects."""
ALONE: Final = 2
"""The number of the lane of suspects."""

LANES: Final = (
    Lane("ready", "jobs that are no suspects; a worker reads as many as it has free slots", births=True),
    Lane(
        "alone",
        "suspects: jobs that crashed their workers, delivered one at a time to a worker that runs nothing",
    ),
)
NUMBERS: Final = tuple(range(1, len(LANES) + 1))
