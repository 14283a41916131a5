"""Why a job does not run now: one sentence, with a code that stays. A new reason is one more row of ``REASONS``.

Each row says its sentence where it fits what is known of the job, and ``None`` where it does not; the first that fits
counts, so what stands above hides what stands below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from streamq.model.group import tenant_of
from streamq.model.job_record import Failure, JobRecord
from streamq.model.lanes import ALONE, LANES
from streamq.model.limit import Limit
from streamq.model.states import State
from streamq.model.steering import Pause
from streamq.model.worker_info import WorkerInfo
from streamq.times import rfc3339

LATE: Final = timedelta(seconds=3)
"""A delayed job that is due for so long was forgotten: who promotes takes milliseconds, and looks each second."""
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
    """How many of its jobs are past the gate."""
    opens: datetime | None
    """When the window of its rate opens; ``None`` while it is open."""

    @property
    def is_full(self) -> bool:
        """Whether as many of its jobs are active as may be."""
        most = self.limit.concurrency
        return isinstance(most, int) and self.used >= most

    @property
    def words(self) -> str:
        """It in a sentence."""
        kind, _, name = self.name.partition(":")
        return "its queue" if kind == "queue" else f"{kind} {name!r}"


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
    def slots(self) -> int:
        """How many jobs those run at once."""
        return sum(worker.concurrency for worker in self.serving)

    @property
    def before(self) -> int:
        """About how many wait before it: in its lane, and in those that have a larger share."""
        weight = LANES[self.lane - 1].weight
        above = sum(
            n for lane, n in zip(LANES, self.waiting, strict=False) if lane.weight > weight and lane.births
        )
        return self.ahead + above


class Reason(NamedTuple):
    """One reason: its code, what it means, and the function that tells whether and how it holds."""

    code: str
    states: tuple[State, ...]
    meaning: str
    say: Callable[[Facts], Explanation | None]


def explain(facts: Facts) -> Explanation:
    """The first reason that fits."""
    for reason in REASONS:
        if facts.job.state in reason.states and (said := reason.say(facts)):
            return said
    raise AssertionError(
        f"no reason for a job that is {facts.job.state}"
    )  # the last of each state always fits


# -- ended -------------------------------------------------------------------------------------------------------


def _ended(facts: Facts) -> Explanation:
    job = facts.job
    at = job.finished_at
    if job.state is State.COMPLETED:
        return Explanation("completed", f"it is completed{_at(at)}", since=at)
    error = _error(job.error)
    if job.state is State.FAILED:
        after = _times(job.attempt, "attempt")
        return Explanation("failed", f"it failed for good{_at(at)}, after {after}: {error}", since=at)
    if job.state is State.EXPIRED:
        return Explanation("expired", f"it has expired{_at(at)}: {error}", since=at)
    by, why = _said_by(job.error)
    return Explanation("cancelled", f"it was cancelled{_at(at)}{by}{why}", since=at, by=_by(job.error))


# -- active ------------------------------------------------------------------------------------------------------


def _ending(facts: Facts) -> Explanation | None:
    if facts.asked is None:
        return None
    by, why = _said_by(facts.asked)
    text = f"it runs on {facts.job.worker} and is told to end{by}{why}"
    return Explanation("ending", text, since=facts.job.started_at, by=_by(facts.asked))


def _lost(facts: Facts) -> Explanation | None:
    worker = facts.job.worker or ""
    if facts.beats and worker not in facts.lost:
        return None
    who = f"its worker {worker} was lost"
    if not facts.upkeep:
        return Explanation("worker-lost", f"{who}, and no worker or scheduler is there to start it again")
    when = "within seconds" if facts.beats else "within a minute or so"
    return Explanation("worker-lost", f"{who}: it waits again {when}, and starts on another")


def _running(facts: Facts) -> Explanation:
    job = facts.job
    of = f" of {job.attempts}" if job.attempts else ""
    text = f"it runs: attempt {job.attempt}{of} on {job.worker}{_since(job.started_at, facts.now)}"
    return Explanation("running", text, since=job.started_at)


# -- held --------------------------------------------------------------------------------------------------------


def _follows(facts: Facts) -> Explanation | None:
    if not facts.key_holder or facts.key_holder == facts.job.id:
        return None
    return Explanation(
        "behind-key",
        f"it waits for the end of job {facts.key_holder}, which has its unique key {facts.job.key!r}",
    )


def _group_paused(facts: Facts) -> Explanation | None:
    paused = (
        _paused("group-paused", scope.words, scope.paused) for scope in facts.scopes if _is_gated(facts)
    )
    return next(filter(None, paused), None)


def _rate_used(facts: Facts) -> Explanation | None:
    """The scope that opens last."""
    shut = [scope for scope in facts.scopes if scope.opens and _is_gated(facts)]
    if not shut:
        return None
    last = max(shut, key=lambda scope: scope.opens or facts.now)
    text = f"{last.words} may start {last.limit.rate}, and has: the next starts{_in(last.opens, facts.now)}"
    return Explanation("rate-limited", f"{text}{_before(facts)}", until=last.opens, ahead=_ahead(facts))


def _slots_used(facts: Facts) -> Explanation | None:
    full = next((scope for scope in facts.scopes if scope.is_full and _is_gated(facts)), None)
    if full is None:
        return None
    most = full.limit.concurrency
    text = f"{full.words} may have {_times(int(most or 0), 'job')} active, and has: the next starts when one ends"
    return Explanation("concurrency-limited", f"{text}{_before(facts)}", ahead=_ahead(facts))


def _turn(facts: Facts) -> Explanation | None:
    if not _is_gated(facts) or facts.line < 0:
        return None
    if not facts.serving:
        return _no_worker(facts)
    free = facts.active < facts.slots
    if facts.line == 0 and free and facts.turns <= 1:
        return Explanation(
            "in-turn", "it is the next of its group: it starts in a moment", ahead=0, seconds=0.0
        )
    others = f", which takes turns with {_times(facts.turns - 1, 'other')}" if facts.turns > 1 else ""
    slots = f"; {facts.active:,} run in the {_times(facts.slots, 'slot')} of its workers"
    group = tenant_of(facts.job.group or "")
    text = f"the turn of its group {group!r} has not come{others}{_before(facts)}{slots}"
    return Explanation("in-turn", text, ahead=_ahead(facts))


def _is_gated(facts: Facts) -> bool:
    """Whether it waits for the gate, and not as a suspect for an idle worker."""
    return facts.lane != ALONE and facts.job.state in (State.WAITING, State.HELD)


def _ahead(facts: Facts) -> int | None:
    return facts.line if facts.line >= 0 else None


def _before(facts: Facts) -> str:
    return f"; about {_times(facts.line, 'job')} of its group before it" if facts.line > 0 else ""


def _held(_: Facts) -> Explanation:
    return Explanation("held", "it is held, and what held it is over: it waits again in a moment")


# -- delayed -----------------------------------------------------------------------------------------------------


def _not_promoted(facts: Facts) -> Explanation | None:
    due = facts.job.due_at
    if due is None or facts.upkeep or facts.now - due < LATE:
        return None
    text = f"it was due {_span(facts.now - due)} ago, and no worker or scheduler is there to make it wait"
    return Explanation("no-upkeep", text, since=due)


def _offered_again(facts: Facts) -> Explanation | None:
    if not facts.unknown_task_count:
        return None
    job = facts.job
    text = (
        f"no worker that met it knows {_what(job)}: it is offered again{_in(job.due_at, facts.now)}"
        f"{_but_known(facts)}"
    )
    return Explanation("unknown-task", text, until=job.due_at)


def _retrying(facts: Facts) -> Explanation | None:
    job = facts.job
    if not job.attempt or job.error is None:
        return None
    of = f" of {job.attempts}" if job.attempts else ""
    again = f"attempt {job.attempt}{of} failed with {_error(job.error)}; it tries again"
    return Explanation("retry-later", again + _in(job.due_at, facts.now), until=job.due_at)


def _due_later(facts: Facts) -> Explanation:
    due = facts.job.due_at
    return Explanation("due-later", f"it is due{_in(due, facts.now)}", until=due)


# -- waiting -----------------------------------------------------------------------------------------------------


def _queue_paused(facts: Facts) -> Explanation | None:
    return _paused("queue-paused", f"queue {facts.job.queue!r}", facts.paused)


def _task_paused(facts: Facts) -> Explanation | None:
    return _paused("task-paused", f"task {facts.job.task!r}", facts.task_paused)


def _paused(code: str, what: str, pause: Pause | None) -> Explanation | None:
    if pause is None:
        return None
    since = f" since {rfc3339(pause.since, 'seconds')}" if pause.since else ""
    until = f", until {rfc3339(pause.until, 'seconds')}" if pause.until else ""
    by, why = f" by {pause.by}" if pause.by else "", f": {pause.reason}" if pause.reason else ""
    text = f"{what} is paused{since}{by}{until}{why}"
    return Explanation(code, text, until=pause.until, since=pause.since, by=pause.by or None)


def _no_worker(facts: Facts) -> Explanation | None:
    if facts.serving:
        return None
    lost = sorted(w.name for w in facts.workers if facts.job.queue in w.queues)
    more = f"; {', '.join(lost[:3])}{' and others' if lost[3:] else ''} did and was lost" if lost else ""
    return Explanation("no-worker", f"no worker serves queue {facts.job.queue!r}{more}")


def _unknown(facts: Facts) -> Explanation | None:
    if any(_knows(worker, facts.job) for worker in facts.serving):
        return None
    count = len(facts.serving)
    which = "the worker that serves" if count == 1 else f"none of the {count} workers that serve"
    verb = "does not know" if count == 1 else "knows"
    return Explanation("unknown-task", f"{which} queue {facts.job.queue!r} {verb} {_what(facts.job)}")


def _knows(worker: WorkerInfo, job: JobRecord) -> bool:
    """Whether it does, or does not say what it knows."""
    return worker.tasks is None or worker.tasks.get(job.task, 0) >= job.payload_version


def _what(job: JobRecord) -> str:
    version = f" of version {job.payload_version}" if job.payload_version > 1 else ""
    return f"task {job.task!r}{version}"


def _but_known(facts: Facts) -> str:
    """What an offer will come to, as far as it can be told."""
    return "" if not facts.serving or _unknown(facts) else ", and there is one now that does"


def _alone(facts: Facts) -> Explanation | None:
    if facts.lane != ALONE:
        return None
    crashed = _times(facts.job.crashes, "worker")
    line = f", after {_times(facts.ahead, 'other')} like it" if facts.ahead else ""
    text = f"it runs alone, as it was active when {crashed} were lost: it starts when a worker is idle{line}"
    return Explanation("alone", text, ahead=facts.ahead)


def _in_line(facts: Facts) -> Explanation:
    before = facts.before
    about = "" if facts.exact else "about "
    seconds = None if facts.pace is None else round((before + 1) / facts.pace, 1)
    when = (
        ""
        if seconds is None
        else f", about {_span(timedelta(seconds=seconds))} at the pace of the last minutes"
    )
    free = facts.active < facts.slots
    if before == 0 and free:
        text = "it is the next, and a worker has a free slot: it starts in a moment"
        return Explanation("in-line", text, ahead=0, seconds=0.0)
    slots = f"; {facts.active:,} run in the {_times(facts.slots, 'slot')} of its workers"
    if before == 0:
        text = f"it is the next, and starts when a slot is free{slots}"
    else:
        verb = "is" if before == 1 else "are"
        text = f"{about}{_times(before, 'job')} {verb} before it{when}{slots}"
    return Explanation("in-line", text, ahead=before, seconds=seconds)


# -- words -------------------------------------------------------------------------------------------------------


def _error(error: Failure | None) -> str:
    if error is None:
        return "nobody knows of what"
    said = " ".join(f"{error.type}: {error.message}".split())
    return said if len(said) <= LINE else f"{said[: LINE - 1]}…"


def _said_by(error: Failure | None) -> tuple[str, str]:
    by = _by(error)
    why = " ".join(error.message.split())[:LINE] if error and error.message else ""
    return f" by {by}" if by else "", f": {why}" if why else ""


def _by(error: Failure | None) -> str | None:
    return (error.by or None) if error else None


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _at(at: datetime | None) -> str:
    return f" at {rfc3339(at, 'seconds')}" if at else ""


def _in(at: datetime | None, now: datetime) -> str:
    if at is None:
        return " later"
    return f" in {_span(at - now)}, at {rfc3339(at, 'seconds')}" if at > now else " now"


def _since(at: datetime | None, now: datetime) -> str:
    return f", for {_span(now - at)}" if at else ""


_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def _span(span: timedelta) -> str:
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


_W, _A, _D, _H = State.WAITING, State.ACTIVE, State.DELAYED, State.HELD
_ENDED: Final = (
    (State.COMPLETED, "it has ended with a result"),
    (State.FAILED, "it failed for good, with its last error"),
    (State.CANCELLED, "somebody cancelled it"),
    (State.EXPIRED, "its time was over before it began"),
)

REASONS: Final = (
    *[Reason(state.value, (state,), meaning, _ended) for state, meaning in _ENDED],
    Reason("ending", (_A,), "it runs, and its end was asked for", _ending),
    Reason("worker-lost", (_A,), "the worker that had it is gone, and it starts again on another", _lost),
    Reason("running", (_A,), "it does run", _running),
    Reason("no-upkeep", (_D,), "it is due, and no process is there to make it wait", _not_promoted),
    Reason("unknown-task", (_D,), "no worker that met it knows its task, or that version", _offered_again),
    Reason("retry-later", (_D,), "its last attempt failed, and the next one is to come", _retrying),
    Reason("due-later", (_D,), "its time has not come", _due_later),
    Reason("queue-paused", (_W,), "its queue is paused", _queue_paused),
    Reason("task-paused", (_W, _H), "its task is paused in its queue", _task_paused),
    Reason("behind-key", (_H,), "another job has its unique key, and it follows that one", _follows),
    Reason("group-paused", (_W, _H), "its group is paused, or its tenant", _group_paused),
    Reason(
        "rate-limited",
        (_W, _H),
        "as many have started in the time as may: its queue, task or group",
        _rate_used,
    ),
    Reason(
        "concurrency-limited",
        (_W, _H),
        "as many are active as may be: of its queue, task or group",
        _slots_used,
    ),
    Reason(
        "in-turn", (_H,), "it waits for its turn: others of its group, or other groups, are before it", _turn
    ),
    Reason("held", (_H,), "it was held, and waits again in a moment", _held),
    Reason("no-worker", (_W,), "no worker serves its queue, or those that did are lost", _no_worker),
    Reason(
        "unknown-task", (_W,), "no worker that serves its queue knows its task, or that version", _unknown
    ),
    Reason("alone", (_W,), "it may have crashed a worker, and waits for one that is idle", _alone),
    Reason("in-line", (_W,), "other jobs are before it, or no slot is free", _in_line),
)
"""In the order in which they are tried. A code may stand in several rows: it means one thing in several states."""
