"""What is known of a job that does not run, what is said of it, and the words in which it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from streamq.model.job_record import Failure, JobRecord
from streamq.model.lanes import LANES
from streamq.model.limit import SHARED, Limit
from streamq.model.steering import Pause
from streamq.model.worker_info import WorkerInfo
from streamq.times import rfc3339

LINE: Final = 300
"""Characters of an error in a sentence."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job does not run now."""

    code: str
    """The reason, by a word that stays: see ``REASONS``."""
    text: str
    """The same as a sentence."""
    until: datetime | None = None
    """When that ends by itself, as far as it is known."""
    since: datetime | None = None
    """Since when it is so, where that is known."""
    by: str | None = None
    """Who wanted it so, where somebody did and has said so."""
    ahead: int | None = None
    """Of a waiting job: about how many others are before it; of one of a group that is held, of its group."""
    seconds: float | None = None
    """Of a waiting job: in about how many seconds it starts, at the pace of the last minutes."""

    def asdict(self) -> dict[str, Any]:
        """The explanation as JSON has it; times in RFC 3339."""
        return {
            "code": self.code, "text": self.text, "until": rfc3339(self.until), "since": rfc3339(self.since),
            "by": self.by, "ahead": self.ahead, "seconds": self.seconds,
        }  # fmt: skip


class ScopeFacts(NamedTuple):
    """A scope in which a job is limited or paused: the queue, its task, its group."""

    name: str
    limit: Limit
    paused: Pause | None
    used: int
    """How many of its jobs are past the gate; of a shared limit, how many units the job needs."""
    opens: datetime | None
    """When the window of its rate opens; ``None`` while it is open."""

    @property
    def is_full(self) -> bool:
        """Whether as many of its jobs are active as may be."""
        most = self.limit.concurrency
        return isinstance(most, int) and self.used >= most and not self.name.startswith(SHARED)

    @property
    def most(self) -> int | None:
        """Of a shared limit: the most that a job may need; ``None`` where nothing is said."""
        return self.limit.concurrency if isinstance(self.limit.concurrency, int) else None

    @property
    def words(self) -> str:
        """It in a sentence."""
        kind, _, name = self.name.partition(":")
        return "its queue" if kind == "queue" else f"{'shared limit' if kind == 'shared' else kind} {name!r}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a job that has not ended, and of what is around it."""

    job: JobRecord
    now: datetime
    """By the server's clock."""
    lane: int = 0
    """The number of the lane in which it lies; 0 where it is parked."""
    waiting: tuple[int, ...] = ()
    """How many jobs wait in each lane."""
    active: int = 0
    ahead: int = 0
    """How many wait before it in its lane."""
    exact: bool = True
    paused: Pause | None = None
    task_paused: Pause | None = None
    asked: Failure | None = None
    """What was said when its end was asked for."""
    beats: bool = False
    """Whether the worker that has it beats in its queue."""
    upkeep: bool = True
    """Whether a process does the upkeep of its queue."""
    key_holder: str = ""
    """The id of the job that has its unique key."""
    unknown_task_count: int = 0
    workers: Sequence[WorkerInfo] = ()
    """Those that serve its queue, and the one that has it."""
    lost: frozenset[str] = field(default_factory=frozenset)
    """The names of those among them that are not connected any more."""
    line: int = -1
    """About how many of its group the gate lets through before it; -1 where the gate does not hold it."""
    turns: int = 0
    """How many tenants wait for their turn."""
    scopes: Sequence[ScopeFacts] = ()
    """In which it is limited or paused."""
    pace: float | None = None
    """Attempts that end in its queue in a second; ``None`` where that is not known."""

    @property
    def serving(self) -> list[WorkerInfo]:
        """The workers that serve its queue and are connected."""
        return [w for w in self.workers if self.job.queue in w.queues and w.name not in self.lost]

    @property
    def taking(self) -> list[WorkerInfo]:
        """Those of them that take new jobs."""
        return [worker for worker in self.serving if worker.takes_jobs]

    @property
    def slots(self) -> int:
        """How many jobs they run at once: of those that take no more, what still runs there."""
        return sum(worker.slots for worker in self.serving)

    @property
    def before(self) -> int:
        """About how many wait before it: in its lane, and in those that have a larger share."""
        weight = LANES[self.lane - 1].weight
        above = sum(
            n for lane, n in zip(LANES, self.waiting, strict=False) if lane.weight > weight and lane.births
        )
        return self.ahead + above


# -- words -------------------------------------------------------------------------------------------------------


def error_text(error: Failure | None) -> str:
    if error is None:
        return "nobody knows of what"
    said = " ".join(f"{error.type}: {error.message}".split())
    return said if len(said) <= LINE else f"{said[: LINE - 1]}…"


def said_by(error: Failure | None) -> tuple[str, str]:
    by = who(error)
    why = " ".join(error.message.split())[:LINE] if error and error.message else ""
    return f" by {by}" if by else "", f": {why}" if why else ""


def who(error: Failure | None) -> str | None:
    return (error.by or None) if error else None


def times(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def at_time(at: datetime | None) -> str:
    return f" at {rfc3339(at, 'seconds')}" if at else ""


def in_time(at: datetime | None, now: datetime) -> str:
    if at is None:
        return " later"
    return f" in {span(at - now)}, at {rfc3339(at, 'seconds')}" if at > now else " now"


def since_time(at: datetime | None, now: datetime) -> str:
    return f", for {span(now - at)}" if at else ""


_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def span(span: timedelta) -> str:
    """A duration in its two largest units: ``3 h 20 min``."""
    left = max(0, round(span.total_seconds()))
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count or (parts and len(parts) < 2):
            parts += [f"{count} {unit}"] if count else [""]
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "less than a second"


def paused(code: str, what: str, pause: Pause | None) -> Explanation | None:
    if pause is None:
        return None
    since = f" since {rfc3339(pause.since, 'seconds')}" if pause.since else ""
    until = f", until {rfc3339(pause.until, 'seconds')}" if pause.until else ""
    by, why = f" by {pause.by}" if pause.by else "", f": {pause.reason}" if pause.reason else ""
    text = f"{what} is paused{since}{by}{until}{why}"
    return Explanation(code, text, until=pause.until, since=pause.since, by=pause.by or None)
