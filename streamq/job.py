"""A job as its producer and as an onlooker sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from streamq.codec import TOO_DEEP
from streamq.durations import Duration
from streamq.states import State

R = TypeVar("R")


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
    error: dict[str, Any] | None = None
    """The last thing that went wrong: ``type``, ``message``, ``traceback``, ``worker``, ``attempt`` and times."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """All of them, oldest first."""
    worker: str | None = None
    """Who has it, or had it last."""
    unshown: tuple[str, ...] = ()
    """Which of ``payload`` and ``result`` another program nested too deep for any list: JSON says so in their place."""

    def asdict(self) -> dict[str, Any]:
        """The job as JSON has it; times in RFC 3339. It can be written whatever other programs have stored."""
        return {
            "id": self.id, "queue": self.queue, "task": self.task, "state": self.state.value,
            "payload": self._said("payload"), "priority": "normal", "group": None, "key": None,
            "attempt": self.attempt, "attempts": self.attempts, "crashes": self.crashes,
            "created_at": _iso(self.created_at), "due_at": _iso(self.due_at),
            "started_at": _iso(self.started_at), "finished_at": _iso(self.finished_at),
            "progress": None, "result": self._said("result"), "error": self.error, "history": self.history,
            "worker": self.worker,
        }  # fmt: skip

    def _said(self, name: str) -> Any:
        return TOO_DEEP if name in self.unshown else getattr(self, name)


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a state; ``next`` is the cursor of the page after, ``None`` at the end."""

    items: list[JobRecord]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many jobs of a queue are in each state."""

    waiting: int = 0
    active: int = 0
    delayed: int = 0
    held: int = 0
    completed: int = 0
    failed: int = 0

    def asdict(self) -> dict[str, int]:
        """The counts by the name of the state."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class OverdueHandler:
    """A handler that still runs after its attempt was judged: past its time limit, and it could not be ended."""

    job: str
    queue: str
    task: str
    since: datetime
    """When its attempt was judged, by its host's clock."""

    def asdict(self) -> dict[str, Any]:
        """The handler as JSON has it."""
        return {"job": self.job, "queue": self.queue, "task": self.task, "since": _iso(self.since)}


@dataclass(frozen=True, slots=True)
class WorkerNote:
    """What the code of an app tells operators of the process it runs in: see ``App.notes``."""

    subject: str
    text: str
    since: datetime
    """When it was first told, by its host's clock."""

    def asdict(self) -> dict[str, Any]:
        """The note as JSON has it."""
        return {"subject": self.subject, "text": self.text, "since": _iso(self.since)}


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself."""

    name: str
    host: str
    pid: int
    queues: tuple[str, ...]
    concurrency: int
    started_at: datetime
    version: str
    client_id: int = 0
    """The server's id of the connection it beats on."""
    token: str = ""
    """Tells it from another that claims the same name."""
    lease: float = 0.0
    """Seconds without a beat after which it is lost; 0 when it does not say."""
    beat: float = 0.0
    """Seconds between two of its beats; 0 when it does not say."""
    stuck: float = 0.0
    """Seconds for which others may beat on its behalf while it cannot; 0 when it does not say."""
    host_id: str = ""
    """Boot and process-id namespace of its host; empty when it does not say."""
    process_start: int = 0
    """When its process started, in ticks since the boot of its host; 0 when it does not say."""
    overdue: tuple[OverdueHandler, ...] = ()
    """Handlers that keep a slot past their time limit, the longest first; 100 at most are named."""
    notes: tuple[WorkerNote, ...] = ()
    """What its app's code tells operators, the oldest first."""

    def asdict(self) -> dict[str, Any]:
        """The worker as JSON has it."""
        return {
            "name": self.name, "host": self.host, "pid": self.pid, "queues": list(self.queues),
            "concurrency": self.concurrency, "started_at": _iso(self.started_at), "version": self.version,
            "overdue": [handler.asdict() for handler in self.overdue],
            "notes": [note.asdict() for note in self.notes],
        }  # fmt: skip


@dataclass(slots=True, unsafe_hash=True)  # not frozen: that would double the time of making a million of them
class Job(Generic[R]):
    """A handle on an enqueued job. ``id`` is the place where it was born. Not to be changed."""

    id: str
    queue: str
    task: str
    _result: Callable[[Job[R], Duration | None], Awaitable[R]] = field(repr=False, compare=False)
    _status: Callable[[str, str], Awaitable[JobRecord]] = field(repr=False, compare=False)

    async def result(self, timeout: Duration | None = None) -> R:
        """Wait for the job to end and return what its handler returned.

        ``timeout`` is a duration (seconds, a ``timedelta``, or text such as ``"5m"``); ``None`` waits for as long as it
        takes. Raises ``JobFailed`` when it failed, ``ResultTimeout`` when the time is over, ``UsageError`` for a
        ``timeout`` that is no duration, and ``JobNotFound`` when its record is gone already (results are kept as long
        as finished jobs are).
        """
        return await self._result(self, timeout)

    async def status(self) -> JobRecord:
        """Everything known of the job now. Raises ``JobNotFound``."""
        return await self._status(self.queue, self.id)
