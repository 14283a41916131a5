"""Steps of operations by filter: a page of jobs is read and the filter evaluated here, and one script call changes what
it means and notes how far the operation is. Whoever takes the same step a second time changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from streamq.model.clock import from_ms
from streamq.model.filter import Filter
from streamq.model.filter_text import parse_filter
from streamq.model.job_record import JobRecord
from streamq.model.operation import END, Course, Handed
from streamq.model.states import State
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.candidates import Bound, Candidate, Reader

PAGE: Final = 100
"""Jobs that one call of a script reads at most: a fraction of a millisecond of the server's time."""
CHANGED: Final = 25
"""Jobs that one call changes at most: about a millisecond of the server's time, so that others hardly notice."""
LOOKED: Final = 500
"""Jobs that a step looks at before it is written down that none of them was meant."""


NOTHING: Final = Handed()
"""What the first partition is handed, and the only one."""
Known = Callable[[JobRecord], JobRecord]
_Meant = tuple[str, str, str]
"""Id, state with version, and place of a job that is meant."""


class Step(NamedTuple):
    """What one step came to."""

    state: str
    """Of the operation now; empty where there is no such operation."""
    changed: int
    """Jobs that it deleted, or otherwise changed."""
    wait: float = 0.0
    """Seconds until the next step can do anything."""


async def bulk_step(
    access: Access, links: Links, queue: str, operation_id: str, its: Course, known: Known,
    before: Handed = NOTHING,
) -> Step:  # fmt: skip
    """Take one step of an operation by filter. ``known`` masks of a job what is known to be masked, as in a search.
    ``before`` is what other partitions have handed on."""
    wanted = parse_filter(its.filter)
    reader = Reader(access, links, queue, wanted, Bound(its.last, its.last_end, its.created))
    size = PAGE if its.rate is None else max(1, min(PAGE, math.ceil(its.rate)))
    looked, passed, jobs, at = 0, 0, list[_Meant](), its.cursor or f"{its.states[0]}."
    while at not in ("", END) and not jobs and looked + passed < LOOKED:
        name, _, place = at.partition(".")
        found, count, following, others = await reader.page(State(name), place or None, size)
        for each in found:
            if (read := _as_meant(wanted, name, each, its.created, known)) is not None:
                jobs.append((each.job_id, read, f"{name}.{each.after}" if each.after else ""))
        looked, passed, at = looked + count, passed + others, _next(its, name, following)
    step, end = Step("running", 0), "" if at == END else at
    for begin, part, following in _parts(jobs, its.cursor, end):
        arguments = (
            begin,
            following,
            looked if following == end else 0,
            its.told,
            access.part_of(queue, access.settings.keep_failed),
            *before,
        )
        flat = [text for meant in part for text in meant]
        state, changed, wait = await scripts.BULK.run(
            links.of(queue), access.keys(queue), operation_id, *arguments, *flat
        )
        step = Step(state.decode(), step.changed + changed, wait / 1000)
        if step.state != "running" or step.wait:
            break
    return step


def _parts(jobs: list[_Meant], at: str, end: str) -> Iterator[tuple[str, list[_Meant], str]]:
    """Some jobs at a time, and the places between which they are. Those without a place of their own go together."""
    if not all(after for _, _, after in jobs):
        yield at, jobs, end
        return
    for start in range(0, max(1, len(jobs)), CHANGED):
        part = jobs[start : start + CHANGED]
        following = end if start + CHANGED >= len(jobs) else part[-1][2]
        yield at, part, following
        at = following


def _as_meant(wanted: Filter, state: str, job: Candidate, now: int, known: Known) -> str | None:
    """The state in which the filter means it, and behind a space the version, where it was read; ``None`` for others.

    Ages count to the moment when the operation began.
    """
    said = {"state": state}
    if job.task:
        said["task"] = job.task
    if job.fingerprint:
        said["fingerprint"] = job.fingerprint
    decided = wanted.decides(**said)
    if decided is None and job.made is not None:
        record = known(job.made())
        is_meant = record.state.value == state and wanted.matches(record, from_ms(now))
        return f"{state} {record.version}" if is_meant else None
    return None if decided is False else state


def _next(its: Course, name: str, following: str | None) -> str:
    """The place where the next page begins; empty behind the last one."""
    if following is not None:
        return f"{name}.{following}"
    rest = its.states[its.states.index(State(name)) + 1 :]
    return f"{rest[0]}." if rest else ""
