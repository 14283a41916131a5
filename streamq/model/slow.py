"""Slow jobs: those that run longest now, and those of the last hour that ran longest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamq.times import rfc3339


@dataclass(frozen=True, slots=True)
class SlowJob:
    """A job, and for how long its last attempt has run."""

    job: str
    queue: str
    task: str
    state: str
    """``active``, or how it ended: ``completed`` or ``failed``."""
    worker: str | None
    started_at: datetime
    seconds: float

    def asdict(self) -> dict[str, Any]:
        """The job as JSON has it."""
        return {
            "job": self.job, "queue": self.queue, "task": self.task, "state": self.state, "worker": self.worker,
            "started_at": rfc3339(self.started_at), "seconds": round(self.seconds, 3),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SlowJobs:
    """Those that run, and those that have ended, the longest first."""

    running: Sequence[SlowJob]
    """As workers told them with their last beats, each its 20 longest."""
    finished: Sequence[SlowJob]
    """Of the last hour, as workers told them; or as far as records are kept, where workers count nothing."""
    looked_at: int
    """How many of those were looked at."""
    complete: bool
    """Whether none of the hour that has run longer can be missing."""

    def asdict(self) -> dict[str, Any]:
        """The jobs as JSON has them."""
        return {
            "running": [job.asdict() for job in self.running], "finished": [job.asdict() for job in self.finished],
            "looked_at": self.looked_at, "complete": self.complete,
        }  # fmt: skip
