"""Pages of jobs in a state: which they are, and where the next page begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from streamq.model.cursors import cursor_at, entry_of, invalid, place_of
from streamq.model.envelope import parse_fields
from streamq.model.headers import id_of
from streamq.model.job_reader import from_waiting
from streamq.model.job_record import JobRecord, Page
from streamq.model.keys import GROUP
from streamq.model.outcomes import ORDERS
from streamq.model.states import State
from streamq.redis import scripts
from streamq.redis.replies import pairs
from streamq.store.access import Access

READ_AT_ONCE: Final = 50
"""Jobs of a page that are read in one round trip: their payloads may be long."""


class Pages:
    """Queries. Raise ``UsageError`` for a cursor that is not one of ours."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def waiting(self, queue: str, limit: int, cursor: str | None) -> Page:
        """A page of waiting jobs, oldest first."""
        lanes = self._access.keys(queue).lanes
        items: list[JobRecord] = []
        lane, after = entry_of(cursor)
        while True:
            # a worker may have taken what lies there since
            after = max(after or "0-0", await self._last_delivered(queue, lanes[lane - 1]), key=_order)
            entries = await self._access.pool.call(
                queue, "XRANGE", lanes[lane - 1], "(" + after, "+", "COUNT", limit - len(items)
            )
            items += [from_waiting(queue, *entry) for entry in entries]
            if len(items) == limit:
                return Page(items, f"{lane}:{entries[-1][0].decode()}")
            if lane == len(lanes):
                return Page(items)
            lane, after = lane + 1, ""

    async def _active(self, queue: str, limit: int, cursor: str | None) -> tuple[list[str], str | None]:
        lanes = self._access.keys(queue).lanes
        ids: list[str] = []
        lane, after = entry_of(cursor)
        while True:
            start = "(" + after if after else "-"
            async with self._access.pool.links() as links:
                command = ("XPENDING", lanes[lane - 1], GROUP, start, "+", limit - len(ids))
                rows = (await links.of(queue).batch(command))[0]
            entries = [] if isinstance(rows, Exception) else [row[0].decode() for row in rows]
            ids += await self._ids_of(queue, lanes[lane - 1], entries)
            if len(ids) == limit:
                return ids, f"{lane}:{entries[-1]}"
            if lane == len(lanes):
                return ids, None
            lane, after = lane + 1, ""

    async def _last_delivered(self, queue: str, lane: str) -> str:
        async with self._access.pool.links() as links:
            return _last_of((await links.of(queue).batch(("XINFO", "GROUPS", lane)))[0])

    async def waiting_since(self, queue: str) -> int | None:
        """When the first of the jobs that wait came to its lane, in milliseconds; ``None`` where none waits."""
        lanes = self._access.keys(queue).lanes
        async with self._access.pool.links() as links:
            link = links.of(queue)
            groups = await link.batch(*[("XINFO", "GROUPS", lane) for lane in lanes])
            begins = ["(" + _last_of(each) for each in groups]
            first = await link.batch(
                *[("XRANGE", lane, begin, "+", "COUNT", 1) for lane, begin in zip(lanes, begins, strict=True)]
            )
        found = [each[0][0] for each in first if each and not isinstance(each, Exception)]
        return min((int(entry.partition(b"-")[0]) for entry in found), default=None)

    async def ids(
        self, queue: str, state: State, limit: int, cursor: str | None
    ) -> tuple[list[str], str | None]:
        """The ids of a page of jobs in any other state, and the cursor of the page after."""
        keys = self._access.keys(queue)
        if state is State.ACTIVE:
            return await self._active(queue, limit, cursor)
        if state is State.COMPLETED:
            found, following = await self._back(queue, keys.completed, limit, cursor)
        elif state in ORDERS:
            found, following = await self._walk(queue, getattr(keys, ORDERS[state]), "down", limit, cursor)
        elif state is State.DELAYED:
            found, following = await self._walk(queue, keys.delayed, "up", limit, cursor)
        elif cursor:
            raise invalid(cursor)
        else:
            return [], None
        return [job_id.decode("utf-8", "replace") for job_id in found], following

    async def _walk(
        self, queue: str, key: str, direction: str, limit: int, cursor: str | None
    ) -> tuple[list[bytes], str | None]:
        """A page of a sorted set; its cursor is the place of its last job: ``<direction><score>:<id>``."""
        score, job_id = place_of(cursor, direction)
        async with self._access.pool.links() as links:
            found = await scripts.WALK.run(
                links.of(queue), scripts.WALK.on(set=key), limit + 1, direction, score, job_id
            )
        ids = found[::2]
        if len(ids) <= limit:
            return ids, None
        return ids[:limit], cursor_at(direction, found[2 * limit - 1].decode(), ids[limit - 1])

    async def _back(
        self, queue: str, key: str, limit: int, cursor: str | None
    ) -> tuple[list[bytes], str | None]:
        """A page of a list from its end; its cursor is its last job and how many are later: ``back<n>:<id>``."""
        later, job_id = place_of(cursor, "back")
        async with self._access.pool.links() as links:
            while True:
                at, *found = await scripts.BACK.run(
                    links.of(queue), scripts.BACK.on(list=key), limit + 1, later, job_id
                )
                if at >= 0:
                    break
                later = str(found[0])  # many have come since: the search goes on
        return found[:limit], cursor_at("back", str(at - 1), found[limit - 1]) if len(found) > limit else None

    async def _ids_of(self, queue: str, lane: str, entries: Sequence[str]) -> list[str]:
        """The ids of the jobs that lie in these entries."""
        ids = []
        async with self._access.pool.links() as links:
            for start in range(0, len(entries), READ_AT_ONCE):
                part = entries[start : start + READ_AT_ONCE]
                replies = await links.of(queue).calls(*[("XRANGE", lane, entry, entry) for entry in part])
                for entry, found in zip(part, replies, strict=True):
                    ids.append((id_of(parse_fields(found[0][1])[2]) if found else None) or entry)
        return ids


def _last_of(groups: Any) -> str:
    """The last entry that was delivered, from what the server says of the groups of a lane."""
    if isinstance(groups, Exception):  # nobody has read it yet
        return "0-0"
    for at in map(pairs, groups):
        if at[b"name"] == GROUP.encode():
            return str(at[b"last-delivered-id"].decode())
    return "0-0"


def _order(entry: str) -> tuple[int, ...]:
    return tuple(map(int, entry.split("-")))
