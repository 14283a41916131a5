"""The outcomes of an attempt: what a worker says of a job, and where the job goes. A new outcome is one more row."""

from __future__ import annotations

from typing import Final, NamedTuple


class Kind(NamedTuple):
    """One kind of outcome: its name, which is that of the state of the job then, and where the job goes."""

    name: str
    mark: str
    """The letter with which the job's record begins; empty where the job has not ended."""
    goes: str


COMPLETED: Final = "completed"
FAILED: Final = "failed"
DELAYED: Final = "delayed"

OUTCOMES: Final = (
    Kind(COMPLETED, "c", "its record to `finished`, its id to the end of `completed`"),
    Kind(FAILED, "f", "its record to `finished`, its id to `failures` by the time of its end"),
    Kind(DELAYED, "", "its envelope to `parked`, its id to `delayed` by its due time"),
)
MARKS: Final = {kind.name: kind.mark.encode() for kind in OUTCOMES if kind.mark}
"""The letters with which records begin, by the kind of the outcome."""
