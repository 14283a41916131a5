"""Search: the jobs that a filter means, some at a time, and how far that has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streamq.model.clock import from_ms, monotonic
from streamq.model.cursors import invalid
from streamq.model.filter import Filter
from streamq.model.job_record import Counted, JobRecord, SearchPage
from streamq.model.places import key_within, place_of, queue_of
from streamq.model.states import State
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.candidates import Candidate, Reader

PAGE: Final = 200
"""Jobs that one call of a script reads: about a millisecond of the server's time; fewer where they are large."""
LOOKED: Final = 2_000
"""Jobs that one search looks at before it answers, whatever it has found: some tens of milliseconds."""
KEY: Final = "key"
"""The place of the job that has the unique key that is asked for, before all states."""
LIVING: Final = frozenset({State.WAITING, State.ACTIVE, State.DELAYED, State.HELD})
_DONE: Final = "-"
"""The place of a state that has not been begun."""


class Search:
    """Queries: the jobs that a filter means."""

    def __init__(self, access: Access, known: Callable[[JobRecord], JobRecord]) -> None:
        self._access, self._known = access, known

    async def page(self, queue: str, wanted: Filter, limit: int, cursor: str | None) -> SearchPage:
        """Up to ``limit`` of them. Raises ``UsageError`` for a cursor that is not one of this search."""
        async with self._access.pool.links() as links:
            if (job_id := wanted.required("id")) is not None:
                name, own_id = place_of(queue_of(queue), job_id)
                here = [own_id] if name == queue else []
                found = await Reader(self._access, links, queue, wanted).located(here)
                return SearchPage(self._meant(wanted, found, len(found)), len(found))
            return await self._page(links, queue, wanted, limit, cursor)

    async def count(self, queue: str, wanted: Filter, deadline: float) -> Counted:
        """How many there are, as far as that is known by a time of the monotonic clock; a page is looked at anyway."""
        count = looked = 0
        cursor: str | None = None
        while True:
            page = await self.page(queue, wanted, LOOKED, cursor)
            count, looked, cursor = count + len(page.items), looked + page.looked, page.next
            if cursor is None or monotonic() >= deadline:
                return Counted(count, looked, cursor is None)

    async def _page(
        self, links: Links, queue: str, wanted: Filter, limit: int, cursor: str | None
    ) -> SearchPage:
        reader = Reader(self._access, links, queue, wanted)
        steps = _steps(wanted, by_key=not self._is_within_group(queue, wanted))
        step, _, place = (cursor or "").partition(".")
        if cursor is not None and step not in steps:
            raise invalid(cursor)
        at, items, looked, passed = steps.index(step) if cursor else 0, list[JobRecord](), 0, 0
        while at < len(steps):
            room = min(PAGE, LOOKED - looked - passed)
            if len(items) >= limit or room <= 0:
                return SearchPage(items, looked, f"{steps[at]}.{place}")
            if steps[at] == KEY:
                found = await self._of_key(reader, queue, wanted)
                count, following, others = len(found), None, 0
            else:
                # no more than there is room for: what is left of a page would be read again
                ready = wanted.decides(state=steps[at])
                size = min(room, limit - len(items)) if ready else room
                found, count, following, others = await reader.page(State(steps[at]), place or None, size)
            for n, each in enumerate(found):
                items += self._meant(wanted, [each], 1)
                if len(items) == limit and each.after and (following is not None or n + 1 < len(found)):
                    return SearchPage(items, looked + n + 1, f"{steps[at]}.{each.after}")
            looked, passed = looked + count, passed + others
            if following is None:
                at, place = at + 1, ""
            else:
                place = following
        return SearchPage(items, looked)

    def _is_within_group(self, queue: str, wanted: Filter) -> bool:
        """Whether the key that is asked for may be that of any group: then nothing says where its job is."""
        return queue_of(queue) in self._access.partitions and wanted.required("group") is None

    async def _of_key(self, reader: Reader, queue: str, wanted: Filter) -> list[Candidate]:
        """The job that has the unique key now, and those that follow it, as far as they have not ended."""
        key, group = wanted.required("key") or "", wanted.required("group") or ""
        if queue_of(queue) in self._access.partitions:
            key = key_within(group, key)
        said = await self._access.pool.call(queue, "HGET", self._access.keys(queue).unique, key)
        ids = said.decode("utf-8", "replace").split() if said else []
        found = await reader.located([*ids[:1], *ids[2:]])
        return [each for each in found if each.made and each.made().state in LIVING]

    def _meant(self, wanted: Filter, found: list[Candidate], limit: int) -> list[JobRecord]:
        now, items = from_ms(self._access.clock.now()), list[JobRecord]()
        for each in found[:limit]:
            known = {"task": each.task} if each.task else {}
            if each.made is None or wanted.decides(**known) is False:
                continue
            job = self._known(each.made())
            if wanted.matches(job, now):
                items.append(job)
        return items


def _steps(wanted: Filter, *, by_key: bool) -> list[str]:
    """What is looked at, in order. With a key that is asked for, the living jobs are those that have it or follow."""
    states = [state.value for state in wanted.states()]
    if not by_key or wanted.required("key") is None:
        return states
    ended = [state for state in states if State(state) not in LIVING]
    return [KEY, *ended] if len(ended) < len(states) else ended
