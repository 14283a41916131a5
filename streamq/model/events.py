"""What is told to those who watch a job, in order: its states, its progress, the lines of its log, and its end; and
to those who tail queues: the same of all their jobs, without the states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from streamq.model.job_record import JobRecord
from streamq.model.outcomes import MARKS
from streamq.model.reports import LogLine, Progress
from streamq.model.states import State


@dataclass(frozen=True, slots=True)
class StateChange:
    """The state that a job has now. A short one between two others may be missed."""

    state: State

    def asdict(self) -> dict[str, Any]:
        """The change as JSON has it."""
        return {"state": self.state.value}


Event = Progress | LogLine | StateChange | JobRecord
"""The last one is the record of the job that has ended."""
TAILED: Final = ("end", "progress", "line")
"""The events of jobs that can be tailed, by their names."""
ENDS: Final = tuple(MARKS)
"""The states in which a job ends."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """Whether a queue is heard from now on: what was told before, or is told until it is heard again, is missed."""

    heard: bool

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {"heard": self.heard}


@dataclass(frozen=True, slots=True)
class Missed:
    """Events that came faster than they were read."""

    count: int

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return {"count": self.count}


@dataclass(frozen=True, slots=True)
class Told:
    """An event of any job of a queue; ``Hearing`` is of the queue, and ``Missed`` may be of all."""

    queue: str
    job_id: str
    event: Event | Hearing | Missed


_NAMES: Final[Mapping[type[Any], str]] = {
    Progress: "progress", LogLine: "line", StateChange: "state", JobRecord: "end", Hearing: "hearing",
    Missed: "missed",
}  # fmt: skip


def event_name(event: Event | Hearing | Missed) -> str:
    """What an event is called in server-sent events and by the command line: ``state progress line end``, and of
    queues ``hearing missed``."""
    return _NAMES[type(event)]
