"""What is told to those who watch a job, in order: its states, its progress, the lines of its log, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from streamq.model.job_record import JobRecord
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

_NAMES: Final[Mapping[type[Any], str]] = {
    Progress: "progress", LogLine: "line", StateChange: "state", JobRecord: "end",
}  # fmt: skip


def event_name(event: Event) -> str:
    """What an event is called in server-sent events and by the command line: ``state progress line end``."""
    return _NAMES[type(event)]
