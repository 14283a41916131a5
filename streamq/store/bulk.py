"""Steps of operations by filter: a page of jobs is read and the filter evaluated here, and one script call changes what it
means and notes how far the operation is. Whoever takes the same step a second time changes nothing."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from streamq.model.clock import from_ms
from streamq.model.filter import Filter
from streamq.model.filter_text import parse_filter
from streamq.model.operation import Course
from streamq.model.states import State
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.candidates import Bound, Candidate, Reader

PAGE: Final = 100
"""Jobs that one call of a script reads or changes at most: one or two milliseconds of the server's time."""
LOOKED: Final = 500
"""Jobs that a step looks at before it is written down that none of them was meant."""
END: Final = "-"
"""The place behind all states."""


class Step(NamedTuple):
    """What one step came to."""

    state: str
    """Of the operation now; empty where there is no such operation."""
    changed: int
    """Jobs that it deleted, or otherwise changed."""
    wait: float = 0.0
    """Seconds until the next step can do anything."""


async def bulk_step(access: Access, links: Links, queue: str, operation_id: str, its: Course) -> Step:
    """Take one step of an operation by filter."""
    wanted = parse_filter(its.filter)
    reader = Reader(access, links, queue, wanted, Bound(its.last, its.last_end, its.created))
    size = PAGE if its.rate is None else max(1, min(PAGE, math.ceil(its.rate)))
    looked, jobs, at = 0, list[str](), its.cursor or f"{its.states[0]}."
    while at not in ("", END) and not jobs and looked < LOOKED:
        name, _, place = at.partition(".")
        found, count, following = await reader.page(State(name), place or None, size)
        for each in found:
            if _is_meant(wanted, name, each, its.created):
                jobs += (each.job_id, name, f"{name}.{each.after}" if each.after else "")
        looked, at = looked + count, _next(its, name, following)
    arguments = (its.cursor, "" if at == END else at, looked, its.told, access.settings.keep_failed)
    state, changed, wait = await scripts.BULK.run(
        links.of(queue), access.keys(queue), operation_id, *arguments, *jobs
    )
    return Step(state.decode(), changed, wait / 1000)


def _is_meant(wanted: Filter, state: str, job: Candidate, now: int) -> bool:
    """Whether the filter means it. Ages count to the moment when the operation began."""
    known = {"state": state}
    if job.task:
        known["task"] = job.task
    if job.fingerprint:
        known["fingerprint"] = job.fingerprint
    decided = wanted.decides(**known)
    if decided is None and job.made is not None:
        record = job.made()
        return record.state.value == state and wanted.matches(record, from_ms(now))
    return decided is not False


def _next(its: Course, name: str, following: str | None) -> str:
    """The place where the next page begins; empty behind the last one."""
    if following is not None:
        return f"{name}.{following}"
    rest = its.states[its.states.index(State(name)) + 1 :]
    return f"{rest[0]}." if rest else ""
