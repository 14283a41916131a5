"""What is wrong with the queue server and with what is kept there, in the words of an operator: first what is wrong,
then what to do.

Of queues, workers and schedules the dashboard says the same from what it has at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import MisplacedKey, OperationRecord, ServerState, WorkerInfo

NO_EVICTION: Final = "noeviction"
SOON: Final = 24.0
"""Hours for which memory lasts, from which on that is said."""
NOW: Final = 2.0
"""Hours from which on it cannot wait."""
FULL: Final = 0.85
"""Share of the memory that is used, from which on it is said whatever its growth."""
APART: Final = 1.0
"""Seconds between two clocks: those that are set by the network differ by far less."""
NAMED: Final = 3
"""Lines of one kind; what is beyond them is counted."""

Tone = Literal["bad", "warn"]


class Trouble(TypedDict):
    """Something that is wrong, and what to do. `tone` is `bad` where jobs are lost or stand still, `page` the parts of
    the address of the dashboard's page that shows it, none where no page does."""

    tone: Tone
    text: str
    page: list[str]


def troubles(
    state: ServerState, hours: float | None, keys: Sequence[MisplacedKey], workers: Iterable[WorkerInfo],
    operations: Sequence[OperationRecord],
) -> list[Trouble]:  # fmt: skip
    """All of it, the worst first. ``hours`` is how long the memory of the server lasts, where that is known."""
    found = [
        *_of_keeping(state), *_of_memory(state, hours), *_of_clock(state), *_of_keys(keys), *_of_notes(workers),
        *_of_operations(operations),
    ]  # fmt: skip
    return sorted(found, key=lambda trouble: trouble["tone"] != "bad")


def _told(tone: Tone, text: str, *page: str) -> Trouble:
    return {"tone": tone, "text": text, "page": list(page)}


def _of_keeping(state: ServerState) -> Iterable[Trouble]:
    policy = state.eviction_policy
    if policy and policy != NO_EVICTION:
        says = f"The queue server removes jobs when it is full: its eviction policy is {policy}."
        yield _told("bad", f"{says} Set maxmemory-policy to {NO_EVICTION}.")
    if state.persistence == "failing":
        yield _told("bad", "The queue server cannot write its data: a restart loses jobs. Look at its disk.")
    if state.persistence == "off":
        says = "The queue server writes nothing to disk: a restart loses jobs."
        yield _told("warn", f"{says} Set appendonly to yes.")


def _of_memory(state: ServerState, hours: float | None) -> Iterable[Trouble]:
    share = state.memory / state.memory_limit if state.memory_limit else 0.0
    act = "raise its maxmemory, or keep fewer records"
    if hours is not None and hours < SOON:
        lasts = f"The queue server has memory for {_span(hours)} as it grows now, {share:.0%} is used"
        yield _told("bad" if hours < NOW else "warn", f"{lasts}: {act}.")
    elif share > FULL:
        full = f"The memory of the queue server is {share:.0%} full, and no job is taken when all is used"
        yield _told("warn", f"{full}: {act}.")


def _span(hours: float) -> str:
    if hours < 1.5:
        return f"{max(1, round(hours * 60))} more minutes"
    return f"{round(hours)} more hours"


def _of_clock(state: ServerState) -> Iterable[Trouble]:
    apart = state.clock_apart or 0.0
    if abs(apart) > APART:
        way = "ahead of" if apart > 0 else "behind"
        says = f"The clock of the queue server is {abs(apart):.0f} s {way} that of the service"
        yield _told("warn", f"{says}, and due times follow the server's: set the clock that is wrong.")


def _of_keys(keys: Sequence[MisplacedKey]) -> Iterable[Trouble]:
    for each in keys[:NAMED]:
        whose = (
            f"Queue {each.queue} has a key of somebody else" if each.queue else "A key is of somebody else"
        )
        page = ("queues", each.queue) if each.queue else ()
        yield _told("bad", f"{whose}: {each.said}. {_sentence(each.remedy)}", *page)
    if (more := len(keys) - NAMED) > 0:
        yield _told("bad", f"{more:,} more keys are of another type than ours: `streamq doctor` names them.")


def _of_notes(workers: Iterable[WorkerInfo]) -> Iterable[Trouble]:
    """The same note of many workers is one."""
    hosts: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for worker in workers:
        for note in worker.notes:
            hosts.setdefault((note.subject, note.text), []).append((note.since, worker.host))
    for (subject, text), told in list(hosts.items())[:NAMED]:
        where = min(told)[1] if len(told) == 1 else f"{len(told)} workers"
        yield _told("warn", f"{where}: {subject}: {text}", "workers")
    if (more := len(hosts) - NAMED) > 0:
        yield _told("warn", f"{more:,} more notes of workers: their page has them.", "workers")


def _of_operations(operations: Sequence[OperationRecord]) -> Iterable[Trouble]:
    """Those that were stopped, unless the like has begun since: the latest of each kind in each queue counts."""
    latest: dict[tuple[str, str], OperationRecord] = {}
    for each in operations:  # the latest first
        latest.setdefault((each.queue, each.kind), each)
    stopped = [each for each in latest.values() if each.state == "stopped"]
    for each in stopped[:NAMED]:
        why = f": {each.reason}" if each.reason else ""
        jobs = "1 job" if each.total == 1 else f"{each.total:,} jobs"
        says = f"The {each.kind} in {each.queue} was stopped after {each.done:,} of {jobs}{why}"
        yield _told("warn", f"{says}. Mend what fails, then begin it again.", "activity")
    if (more := len(stopped) - NAMED) > 0:
        yield _told("warn", f"{more:,} more operations were stopped.", "activity")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
