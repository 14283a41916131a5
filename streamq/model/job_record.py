"""A job as an onlooker sees it, and how many there are in each state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from streamq.model.codec import TOO_DEEP
from streamq.model.lanes import NORMAL
from streamq.model.reports import Progress
from streamq.model.states import State
from streamq.times import rfc3339


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that went wrong with a job; what is not known of it is ``None``. Times are aware, in UTC."""

    type: str
    """The name of the exception's class, or ``TimeLimit``, ``WorkerLost``, ``Crashed`` and the like."""
    message: str
    traceback: str | None = None
    """Of the first and the last failure of a job; empty in those between, which are kept as summaries."""
    worker: str | None = None
    attempt: int | None = None
    """The number of the attempt, from 1."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    by: str | None = None
    """Who asked for the end of a cancelled job, as far as they said it."""
    decision: str | None = None
    """What of the task's policy ended the job with this, where it was not that its attempts are spent."""
    fingerprint: str | None = None
    """The group of failures that a failed job belongs to."""
    frame: str | None = None
    """Where in the program's own code it failed for good, as ``module:function``."""

    def asdict(self) -> dict[str, Any]:
        """The failure as JSON has it: what is known of it, times in RFC 3339."""
        said = {
            "type": self.type, "message": self.message, "traceback": self.traceback, "worker": self.worker,
            "attempt": self.attempt, "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at), "decision": self.decision, "by": self.by,
            "fingerprint": self.fingerprint, "frame": self.frame,
        }  # fmt: skip
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class JobRecord:
    """Everything known of a job at one moment. Times are aware, in UTC, by the server's clock."""

    id: str
    queue: str
    task: str
    state: State
    payload: Any
    attempt: int
    """Attempts begun, this one included when the job is active."""
    attempts: int | None
    """How many it may spend; ``None`` when that is the task's to say and the task is not known here."""
    crashes: int = 0
    created_at: datetime | None = None
    due_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: Any = None
    error: Failure | None = None
    """The last thing that went wrong."""
    history: list[Failure] = field(default_factory=list)
    """All that went wrong, oldest first."""
    worker: str | None = None
    """Who has it, or had it last."""
    priority: str = NORMAL
    key: str | None = None
    """Its unique key."""
    version: int = 0
    """How often it was changed since its birth: what an edit must name to be sure of what it replaces."""
    expires_at: datetime | None = None
    """When it is not started any more."""
    payload_version: int = 1
    masked: tuple[str, ...] = ()
    """What of the payload is not shown: JSON pointers, in which ``*`` stands for every item or member."""
    schedule: str | None = None
    """The name of the schedule that enqueued it, if one did."""
    planned_at: datetime | None = None
    """The planned time of that run."""
    group: str | None = None
    """Its group, by which it waits for its turn and within limits."""
    clone_of: str | None = None
    """The id of the job of which this one is a copy with another payload."""
    cloned_as: str | None = None
    """The id of the copy that was made of it last."""
    result_kept: bool = True
    """Whether the result of a completed job is there: ``keep_result`` may end it before its record."""
    progress: Progress | None = None
    """How far it is, as its handler said last."""
    unshown: tuple[str, ...] = ()
    """Which of ``payload`` and ``result`` another program nested too deep for any list: JSON says so in their place."""

    def asdict(self) -> dict[str, Any]:
        """The job as JSON has it; times in RFC 3339. It can be written whatever other programs have stored."""
        return {
            "id": self.id, "queue": self.queue, "task": self.task, "state": self.state.value,
            "payload": self._said("payload"), "priority": self.priority, "group": self.group, "key": self.key,
            "version": self.version,
            "attempt": self.attempt, "attempts": self.attempts, "crashes": self.crashes,
            "created_at": rfc3339(self.created_at), "due_at": rfc3339(self.due_at),
            "expires_at": rfc3339(self.expires_at),
            "started_at": rfc3339(self.started_at), "finished_at": rfc3339(self.finished_at),
            "progress": self.progress.asdict() if self.progress else None, "result": self._said("result"),
            "error": self.error.asdict() if self.error else None,
            "history": [failure.asdict() for failure in self.history], "worker": self.worker,
            "schedule": self.schedule, "planned_at": rfc3339(self.planned_at),
            "clone_of": self.clone_of, "cloned_as": self.cloned_as,
            **({} if self.result_kept else {"result_kept": False}),
            **({"payload_version": self.payload_version} if self.payload_version != 1 else {}),
        }  # fmt: skip

    def _said(self, name: str) -> Any:
        return TOO_DEEP if name in self.unshown else getattr(self, name)


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a state; ``next`` is the cursor of the page after, ``None`` at the end."""

    items: list[JobRecord]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many jobs a filter means: at least ``count``, and just so many where it is ``exact``."""

    count: int
    looked: int
    """How many jobs were looked at."""
    exact: bool

    def asdict(self) -> dict[str, Any]:
        """The count as JSON has it."""
        return {"count": self.count, "looked": self.looked, "exact": self.exact}


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some jobs that a filter means."""

    items: list[JobRecord]
    looked: int = 0
    """Jobs that were looked at for this page."""
    next: str | None = None
    """The cursor with which the search goes on; ``None`` when all jobs have been looked at."""

    @property
    def is_complete(self) -> bool:
        """Whether the search has come to its end: with the pages before, everything was looked at."""
        return self.next is None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs of a queue are in each state."""

    waiting: int = 0
    active: int = 0
    delayed: int = 0
    held: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Those of both."""
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    def asdict(self) -> dict[str, int]:
        """The counts by the name of the state."""
        return {name: getattr(self, name) for name in self.__slots__}
