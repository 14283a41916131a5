"""What the partitions of a queue say, as one: pages of jobs, kinds of failures, and what was told to the queue."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from streamq.model.breaker_status import BreakerStatus
from streamq.model.cursors import invalid
from streamq.model.failure_kinds import FailureKind
from streamq.model.filter import Filter
from streamq.model.group_status import GroupStatus
from streamq.model.job_record import JobRecord, Page, SearchPage
from streamq.model.places import place_of, queue_of
from streamq.model.states import State
from streamq.model.steering import Steering
from streamq.store.jobs import Jobs
from streamq.store.search import LOOKED, Search

DONE: Final = "-"
"""The place in a partition of which nothing is left."""
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


class _Partition:
    """How far a page has come in one partition: where it reads on, and what was read and is not on the page yet."""

    def __init__(self, jobs: Jobs, name: str, state: State, place: str) -> None:
        self._jobs, self._name, self._state = jobs, name, state
        self._before = self._next = place
        self._taken = 0
        self.read: deque[JobRecord] = deque()

    async def fill(self, count: int) -> None:
        """Read on, where nothing that was read is left."""
        while not self.read and self._next != DONE:
            page = await self._jobs.jobs(self._name, self._state, count, self._next or None)
            self._before, self._next, self._taken = self._next, page.next or DONE, 0
            self.read.extend(page.items)

    def take(self) -> JobRecord:
        self._taken += 1
        return self.read.popleft()

    async def place(self) -> str:
        """Where the next page goes on."""
        if not self.read:
            return self._next
        if not self._taken:
            return self._before
        page = await self._jobs.jobs(self._name, self._state, self._taken, self._before or None)
        return page.next or DONE


async def merged(
    jobs: Jobs, names: Sequence[str], state: State, limit: int, cursor: str | None
) -> Page:  # fmt: skip
    """A page of the jobs of these partitions in a state, in the order of each and by their times. Its cursor has a
    place in every partition."""
    places = ["" if cursor is None else place for place in (cursor or "").split(",")]
    if len(places) > len(names) or (cursor is not None and not any(place != DONE for place in places)):
        raise invalid(cursor)
    places += [""] * (len(names) - len(places))
    of = [_Partition(jobs, name, state, place) for name, place in zip(names, places, strict=True)]
    items, some = list[JobRecord](), max(2, 2 * limit // len(names))
    while len(items) < limit:
        await asyncio.gather(*[each.fill(min(some, limit - len(items))) for each in of])
        ready = [each for each in of if each.read]
        if not ready:
            break
        while all(each.read for each in ready) and len(items) < limit:
            items.append(min(ready, key=lambda each: _time(each.read[0], state)).take())
    following = [await each.place() for each in of]
    return Page(items, None if all(place == DONE for place in following) else ",".join(following))


def _time(job: JobRecord, state: State) -> float:
    """By what jobs of a state are in order: the latest first where they are finished."""
    if state is State.DELAYED:
        return job.due_at.timestamp() if job.due_at is not None else 0.0
    if job.finished_at is not None:
        return -job.finished_at.timestamp()
    return job.created_at.timestamp() if job.created_at is not None else 0.0


async def searched(
    search: Search, names: Sequence[str], wanted: Filter, limit: int, cursor: str | None
) -> SearchPage:  # fmt: skip
    """A page of the jobs of these partitions that a filter means: one partition after the other."""
    if len(names) == 1:
        return await search.page(names[0], wanted, limit, cursor)
    if (job_id := wanted.required("id")) is not None:
        name, _ = place_of(queue_of(names[0]), job_id)
        return await search.page(name, wanted, limit, cursor) if name in names else SearchPage([])
    number, comma, place = (cursor or "0,").partition(",")
    if not comma or not number.isdigit() or int(number) >= len(names):
        raise invalid(cursor)
    items, looked, at = list[JobRecord](), 0, int(number)
    while True:
        page = await search.page(names[at], wanted, limit - len(items), place or None)
        items, looked, place = [*items, *page.items], looked + page.looked, page.next or ""
        if page.next is None:
            at += 1
        if at == len(names):
            return SearchPage(items, looked)
        if len(items) >= limit or looked >= LOOKED:
            return SearchPage(items, looked, f"{at},{place}")


def together(of_each: Sequence[Sequence[FailureKind]]) -> list[FailureKind]:
    """The kinds of all partitions, each once, those with the most failed jobs first."""
    if len(of_each) == 1:
        return list(of_each[0])
    alike: dict[str, FailureKind] = {}
    for kind in (kind for kinds in of_each for kind in kinds):
        known = alike.get(kind.fingerprint)
        alike[kind.fingerprint] = kind if known is None else _both(known, kind)
    return sorted(alike.values(), key=lambda kind: (-kind.failed, kind.fingerprint))


def _both(one: FailureKind, other: FailureKind) -> FailureKind:
    last = max(one, other, key=lambda kind: kind.last_at or _BEGINNING)
    firsts = [kind.first_at for kind in (one, other) if kind.first_at]
    trend = tuple(map(sum, zip(one.trend, other.trend, strict=True)))
    return replace(
        last, count=one.count + other.count, failed=one.failed + other.failed, first_at=min(firsts, default=None),
        trend=trend,
    )  # fmt: skip


def one_of(told: Iterable[Steering]) -> Steering:
    """What was told to the queue: to all partitions alike, but for the bound, of which each has its part."""
    first, *others = told
    bounds = [each.max_waiting for each in (first, *others) if each.max_waiting is not None]
    whole = sum(bounds) if bounds else None  # those that are drained have none
    lanes = sorted({lane for each in (first, *others) for lane in each.lanes})
    return replace(first, max_waiting=whole, lanes=tuple(lanes)) if others else first


def groups_together(
    of_each: Sequence[Sequence[GroupStatus]], limit: int, *, longest: bool
) -> list[GroupStatus]:  # fmt: skip
    """The first of the groups that partitions have listed. One that is on its way from one to another is one group."""
    if len(of_each) == 1:
        return list(of_each[0])
    found: dict[str, list[GroupStatus]] = {}
    for group in (group for groups in of_each for group in groups):
        found.setdefault(group.name, []).append(group)
    groups = [one_group(those) for those in found.values()]
    groups.sort(key=lambda each: (-each.age if longest else -each.waiting, each.name))
    return groups[:limit]


def one_group(of_each: Sequence[GroupStatus]) -> GroupStatus:
    """How a group is by what partitions say: one of them has its jobs, and two while it moves. All know its limit."""
    first = max(of_each, key=lambda each: (each.waiting + each.active, each.used))
    oldest = min((each.oldest for each in of_each if each.oldest), default=None)
    return replace(
        first, waiting=sum(each.waiting for each in of_each), active=sum(each.active for each in of_each),
        oldest=oldest, age=max(each.age for each in of_each),
    )  # fmt: skip


def one_breaker(of_each: Sequence[BreakerStatus]) -> BreakerStatus:
    """How a breaker is by what partitions say, each of which has its own: one that is not closed goes before."""
    first = max(of_each, key=lambda each: (each.state != "closed", each.ended))
    return replace(
        first, failed=sum(each.failed for each in of_each), ended=sum(each.ended for each in of_each)
    )


def by_queue(names: Iterable[str]) -> dict[str, list[str]]:
    """Partitions by their queues."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(queue_of(name), []).append(name)
    return found
