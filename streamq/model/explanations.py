"""Why a job does not run now: one sentence, with a code that stays. A new reason is one more row of ``REASONS``.

Each row says its sentence where it fits what is known of the job, and ``None`` where it does not; the first that fits
counts, so what stands above hides what stands below.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple

from streamq.model.facts import (
    Explanation,
    Facts,
    at_time,
    error_text,
    in_time,
    paused,
    said_by,
    since_time,
    span,
    times,
    who,
)
from streamq.model.gate_reasons import (
    group_paused,
    lease_used,
    no_worker,
    rate_used,
    slots_used,
    turn,
    workers_quiet,
)
from streamq.model.job_record import JobRecord
from streamq.model.lanes import ALONE
from streamq.model.states import State
from streamq.model.worker_info import WorkerInfo

LATE: Final = timedelta(seconds=3)
"""A delayed job that is due for so long was forgotten: who promotes takes milliseconds, and looks each second."""


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
        return Explanation("completed", f"it is completed{at_time(at)}", since=at)
    error = error_text(job.error)
    if job.state is State.FAILED:
        after = times(job.attempt, "attempt")
        return Explanation("failed", f"it failed for good{at_time(at)}, after {after}: {error}", since=at)
    if job.state is State.EXPIRED:
        return Explanation("expired", f"it has expired{at_time(at)}: {error}", since=at)
    by, why = said_by(job.error)
    return Explanation("cancelled", f"it was cancelled{at_time(at)}{by}{why}", since=at, by=who(job.error))


# -- active ------------------------------------------------------------------------------------------------------


def _ending(facts: Facts) -> Explanation | None:
    if facts.asked is None:
        return None
    by, why = said_by(facts.asked)
    text = f"it runs on {facts.job.worker} and is told to end{by}{why}"
    return Explanation("ending", text, since=facts.job.started_at, by=who(facts.asked))


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
    text = f"it runs: attempt {job.attempt}{of} on {job.worker}{since_time(job.started_at, facts.now)}"
    return Explanation("running", text, since=job.started_at)


# -- held --------------------------------------------------------------------------------------------------------


def _follows(facts: Facts) -> Explanation | None:
    if not facts.key_holder or facts.key_holder == facts.job.id:
        return None
    return Explanation(
        "behind-key",
        f"it waits for the end of job {facts.key_holder}, which has its unique key {facts.job.key!r}",
    )


def _held(_: Facts) -> Explanation:
    return Explanation("held", "it is held, and what held it is over: it waits again in a moment")


# -- delayed -----------------------------------------------------------------------------------------------------


def _not_promoted(facts: Facts) -> Explanation | None:
    due = facts.job.due_at
    if due is None or facts.upkeep or facts.now - due < LATE:
        return None
    text = f"it was due {span(facts.now - due)} ago, and no worker or scheduler is there to make it wait"
    return Explanation("no-upkeep", text, since=due)


def _offered_again(facts: Facts) -> Explanation | None:
    if not facts.unknown_task_count:
        return None
    job = facts.job
    text = (
        f"no worker that met it knows {_what(job)}: it is offered again{in_time(job.due_at, facts.now)}"
        f"{_but_known(facts)}"
    )
    return Explanation("unknown-task", text, until=job.due_at)


def _retrying(facts: Facts) -> Explanation | None:
    job = facts.job
    if not job.attempt or job.error is None:
        return None
    of = f" of {job.attempts}" if job.attempts else ""
    again = f"attempt {job.attempt}{of} failed with {error_text(job.error)}; it tries again"
    return Explanation("retry-later", again + in_time(job.due_at, facts.now), until=job.due_at)


def _due_later(facts: Facts) -> Explanation:
    due = facts.job.due_at
    return Explanation("due-later", f"it is due{in_time(due, facts.now)}", until=due)


# -- waiting -----------------------------------------------------------------------------------------------------


def _queue_paused(facts: Facts) -> Explanation | None:
    return paused("queue-paused", f"queue {facts.job.queue!r}", facts.paused)


def _task_paused(facts: Facts) -> Explanation | None:
    return paused("task-paused", f"task {facts.job.task!r}", facts.task_paused)


def _unknown(facts: Facts) -> Explanation | None:
    if any(_knows(worker, facts.job) for worker in facts.taking):
        return None
    count = len(facts.taking)
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
    return "" if not facts.taking or _unknown(facts) else ", and there is one now that does"


def _alone(facts: Facts) -> Explanation | None:
    if facts.lane != ALONE:
        return None
    crashed = times(facts.job.crashes, "worker")
    line = f", after {times(facts.ahead, 'other')} like it" if facts.ahead else ""
    text = f"it runs alone, as it was active when {crashed} were lost: it starts when a worker is idle{line}"
    return Explanation("alone", text, ahead=facts.ahead)


def _in_line(facts: Facts) -> Explanation:
    before = facts.before
    about = "" if facts.exact else "about "
    seconds = None if facts.pace is None else round((before + 1) / facts.pace, 1)
    when = (
        ""
        if seconds is None
        else f", about {span(timedelta(seconds=seconds))} at the pace of the last minutes"
    )
    free = facts.active < facts.slots
    if before == 0 and free:
        text = "it is the next, and a worker has a free slot: it starts in a moment"
        return Explanation("in-line", text, ahead=0, seconds=0.0)
    slots = f"; {facts.active:,} run in the {times(facts.slots, 'slot')} of its workers"
    if before == 0:
        text = f"it is the next, and starts when a slot is free{slots}"
    else:
        verb = "is" if before == 1 else "are"
        text = f"{about}{times(before, 'job')} {verb} before it{when}{slots}"
    return Explanation("in-line", text, ahead=before, seconds=seconds)


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
    Reason("group-paused", (_W, _H), "its group is paused, or its tenant", group_paused),
    Reason(
        "rate-limited",
        (_W, _H),
        "as many have started in the time as may: its queue, task or group",
        rate_used,
    ),
    Reason(
        "concurrency-limited",
        (_W, _H),
        "as many are active as may be: of its queue, task or group",
        slots_used,
    ),
    Reason("shared-limited", (_W, _H), "what its queue shares with others is all drawn now", lease_used),
    Reason(
        "in-turn", (_H,), "it waits for its turn: others of its group, or other groups, are before it", turn
    ),
    Reason("held", (_H,), "it was held, and waits again in a moment", _held),
    Reason("no-worker", (_W,), "no worker serves its queue, or those that did are lost", no_worker),
    Reason(
        "workers-quiet",
        (_W,),
        "the workers of its queue take no new jobs: they are quiet, or stop",
        workers_quiet,
    ),
    Reason(
        "unknown-task", (_W,), "no worker that serves its queue knows its task, or that version", _unknown
    ),
    Reason("alone", (_W,), "it may have crashed a worker, and waits for one that is idle", _alone),
    Reason("in-line", (_W,), "other jobs are before it, or no slot is free", _in_line),
)
"""In the order in which they are tried. A code may stand in several rows: it means one thing in several states."""
