"""What a worker does now, as it tells with each beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from streamq.times import rfc3339

WORKING: Final = "working"
QUIET: Final = "quiet"
STOP: Final = "stop"


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job whose handler runs; or still does though its attempt was judged, as it could not be ended."""

    job: str
    queue: str
    task: str
    since: datetime
    """When its handler was called, or its attempt was judged, by its host's clock."""

    def asdict(self) -> dict[str, Any]:
        """The job as JSON has it."""
        return {"job": self.job, "queue": self.queue, "task": self.task, "since": rfc3339(self.since)}


@dataclass(frozen=True, slots=True)
class WorkerLoad:
    """What a worker does now."""

    at: datetime
    """When it was told, by its host's clock."""
    state: str
    """``working``, ``quiet`` (it takes no new jobs) or ``stopping``."""
    busy: int
    """How many of its slots are taken."""
    running: tuple[RunningJob, ...]
    """What runs there, the longest first; 20 at most are named."""
    memory: int
    """Bytes of memory that its process has; 0 where the system does not say."""
    loop_lag: float
    """Seconds by which its event loop was late at most, since the beat before."""
    round_trip: float
    """Seconds that its last beat took to the server and back."""

    def asdict(self) -> dict[str, Any]:
        """The load as JSON has it."""
        return {
            "seen_at": rfc3339(self.at), "state": self.state, "busy": self.busy,
            "running": [job.asdict() for job in self.running], "memory": self.memory, "loop_lag": self.loop_lag,
            "round_trip": self.round_trip,
        }  # fmt: skip


UNSAID: Final[Mapping[str, Any]] = {
    "seen_at": None, "state": None, "busy": None, "running": [], "memory": None, "loop_lag": None, "round_trip": None,
}  # fmt: skip
"""The load of a worker that has not told it, as JSON has it."""
