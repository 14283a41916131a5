"""The outcomes of an attempt: what a worker tells the settle script of each job. A new outcome is one more row."""

from __future__ import annotations

from typing import Final, NamedTuple


class Outcome(NamedTuple):
    """One outcome: its name in the scripts, the word by which a call says it, and where the job goes."""

    name: str
    word: str
    mark: bytes
    """The letter with which the job's record begins; empty where the job has not ended."""
    goes: str


OUTCOMES: Final = (
    Outcome("completed", "c", b"c", "its record to `finished`, its id to the end of `completed`"),
    Outcome("failed", "f", b"f", "its record to `finished`, its id to `failures` by the time of its end"),
    Outcome("delayed", "d", b"", "its envelope to `parked`, its id to `delayed` by its due time"),
)
COMPLETED, FAILED, DELAYED = (outcome.word for outcome in OUTCOMES)
MARK_OF: Final = {outcome.name: outcome.mark for outcome in OUTCOMES if outcome.mark}
"""The letter with which a record begins, by the state of its job."""
