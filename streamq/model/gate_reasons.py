"""Why the gate holds a job: its limits, its group's pause, or its turn. (``explanations`` has the other reasons.)"""

from __future__ import annotations

from streamq.model.facts import Explanation, Facts, in_time, paused, times
from streamq.model.group import tenant_of
from streamq.model.lanes import ALONE
from streamq.model.limit import SHARED
from streamq.model.places import SEPARATOR
from streamq.model.states import State


def group_paused(facts: Facts) -> Explanation | None:
    found = (paused("group-paused", scope.words, scope.paused) for scope in facts.scopes if _is_gated(facts))
    return next(filter(None, found), None)


def rate_used(facts: Facts) -> Explanation | None:
    """The scope that opens last."""
    shut = [scope for scope in facts.scopes if scope.opens and _is_gated(facts)]
    if not shut:
        return None
    last = max(shut, key=lambda scope: scope.opens or facts.now)
    text = (
        f"{last.words} may start {last.limit.rate}, and has: the next starts{in_time(last.opens, facts.now)}"
    )
    return Explanation("rate-limited", f"{text}{_before(facts)}", until=last.opens, ahead=_ahead(facts))


def slots_used(facts: Facts) -> Explanation | None:
    full = next((scope for scope in facts.scopes if scope.is_full and _is_gated(facts)), None)
    if full is None:
        return None
    most = full.limit.concurrency
    text = (
        f"{full.words} may have {times(int(most or 0), 'job')} active, and has: the next starts when one ends"
    )
    return Explanation("concurrency-limited", f"{text}{_before(facts)}", ahead=_ahead(facts))


def lease_used(facts: Facts) -> Explanation | None:
    """A shared limit of which the queue has too little now."""
    short = next(
        (scope for scope in facts.scopes if scope.name.startswith(SHARED) and _is_gated(facts)), None
    )
    if short is None:
        return None
    if short.most is not None and short.used > short.most:
        text = (
            f"{short.words} allows {times(short.most, 'unit')}, and it needs {short.used:,}: it never starts"
        )
        return Explanation("shared-limited", f"{text}. Raise that limit, or delete the job")
    if SEPARATOR in short.name:  # what its partitions share
        text = "as many jobs of its queue run, or have started, as may in all its partitions together"
        return Explanation("shared-limited", f"{text}{_before(facts)}", ahead=_ahead(facts))
    text = f"{short.words} has no room for its {times(short.used, 'unit')} now: it is all drawn by jobs of the queues"
    return Explanation("shared-limited", f"{text} that share it{_before(facts)}", ahead=_ahead(facts))


def turn(facts: Facts) -> Explanation | None:
    if not _is_gated(facts) or facts.line < 0:
        return None
    if not facts.taking:
        return no_worker(facts) or workers_quiet(facts)
    free = facts.active < facts.slots
    if facts.line == 0 and free and facts.turns <= 1:
        return Explanation(
            "in-turn", "it is the next of its group: it starts in a moment", ahead=0, seconds=0.0
        )
    others = f", which takes turns with {times(facts.turns - 1, 'other')}" if facts.turns > 1 else ""
    slots = f"; {facts.active:,} run in the {times(facts.slots, 'slot')} of its workers"
    group = tenant_of(facts.job.group or "")
    text = f"the turn of its group {group!r} has not come{others}{_before(facts)}{slots}"
    return Explanation("in-turn", text, ahead=_ahead(facts))


def _is_gated(facts: Facts) -> bool:
    """Whether it waits for the gate, and not as a suspect for an idle worker."""
    return facts.lane != ALONE and facts.job.state in (State.WAITING, State.HELD)


def _ahead(facts: Facts) -> int | None:
    return facts.line if facts.line >= 0 else None


def _before(facts: Facts) -> str:
    return f"; about {times(facts.line, 'job')} of its group before it" if facts.line > 0 else ""


def no_worker(facts: Facts) -> Explanation | None:
    if facts.serving:
        return None
    lost = sorted(w.name for w in facts.workers if facts.job.queue in w.queues)
    more = f"; {', '.join(lost[:3])}{' and others' if lost[3:] else ''} did and was lost" if lost else ""
    return Explanation("no-worker", f"no worker serves queue {facts.job.queue!r}{more}")


def workers_quiet(facts: Facts) -> Explanation | None:
    if facts.taking:
        return None
    names = [worker.name for worker in facts.serving]
    which = f"{', '.join(names[:3])}{' and others' if names[3:] else ''}"
    text = (
        f"the workers that serve queue {facts.job.queue!r} take no new jobs, they are quiet or stop: {which}"
    )
    return Explanation("workers-quiet", text)
