"""The outcomes of an attempt: what a worker says of a job, and where the job goes. A new outcome is one more row."""

from __future__ import annotations

from typing import Final, NamedTuple


class Kind(NamedTuple):
    """One kind of outcome: its name, which is that of the state of the job then, and where the job goes."""

    name: str
    mark: str
    """The letter with which the job's record begins; empty where the job has not ended."""
    goes: str
    order: str = ""
    """The key that has the ids of jobs that ended so, in the order of their ends."""


COMPLETED: Final = "completed"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"
DELAYED: Final = "delayed"
HELD: Final = "held"

OUTCOMES: Final = (
    Kind(COMPLETED, "c", "its record to `finished`, its id to the end of `completed`", "completed"),
    Kind(FAILED, "f", "its record to `finished`, its id to `failures` by the time of its end", "failures"),
    Kind(
        CANCELLED, "x", "its record to `finished`, its id to `cancelled` by the time of its end", "cancelled"
    ),
    Kind(EXPIRED, "e", "its record to `finished`, its id to `expired` by the time of its end", "expired"),
    Kind(DELAYED, "", "its envelope to `parked`, its id to `delayed` by its due time"),
    Kind(HELD, "", "its envelope to `parked`"),
)
MARKS: Final = {kind.name: kind.mark.encode() for kind in OUTCOMES if kind.mark}
"""The letters with which records begin, by the kind of the outcome."""
STATES: Final = {mark: name for name, mark in MARKS.items()}
"""The kind of the outcome, which is the state of the job, by that letter."""
ORDERS: Final = {kind.name: kind.order for kind in OUTCOMES if kind.order}
"""The name of the key that orders the jobs that ended so; all but that of completed ones are sorted sets."""
