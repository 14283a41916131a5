"""The audit trail: what people did, a bounded stream for each queue."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from streamq.model.trail import AuditEntry, AuditPage, entry, written
from streamq.redis import scripts
from streamq.redis.answers import readable
from streamq.redis.replies import pairs
from streamq.store.access import Access

KEPT: Final = 1_000
"""Acts that are kept of each queue, and up to a block of a hundred more: 300 KB where each has a long reason."""
REMOVED: Final = ""
"""What stands for the trail of removed queues, which is none of a queue's."""

READ_AT_ONCE: Final = 5_000
"""Acts that are read in one round trip, about: of many queues, those of some, and then what the next have that is
newer."""

Order = tuple[int, int, str]
Row = tuple[Order, AuditEntry]


class Trail:
    """Commands: an act is noted. Queries: what was done, the latest first."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def note(
        self, queue: str, actor: str, action: str, subject: str, details: Mapping[str, Any], *, is_gone: bool = False
    ) -> None:  # fmt: skip
        """Note an act; of a queue that ``is_gone`` by it beside all queues."""
        fields = {"actor": actor, "action": action, "subject": subject, "details": written(details)}
        if is_gone:
            fields["of"] = queue
        parts = [part for name, value in fields.items() if value for part in (name, value)]
        key = self._access.shared.trail if is_gone else self._access.keys(queue).trail
        async with self._access.pool.links() as links:
            link = links.home if is_gone else links.of(queue)
            await scripts.TRAIL.run(link, scripts.TRAIL.on(trail=key), KEPT, *parts)

    # -- queries --------------------------------------------------------------------------------------------

    async def page(
        self, queues: Sequence[str], limit: int, before: Order | None, *, with_removed: bool
    ) -> AuditPage:
        """The latest acts of these queues, before a place; and those of queues that were ``removed``."""
        asked, rows = [*queues, *([REMOVED] if with_removed else [])], list[Row]()
        at_once = max(1, READ_AT_ONCE // limit)
        for start in range(0, len(asked), at_once):
            oldest = rows[limit][0][0] if len(rows) > limit else 0
            found = await self._read(asked[start : start + at_once], limit + 1, before, oldest)
            rows = heapq.nlargest(limit + 1, chain(rows, *found), key=lambda row: row[0])
        more = f"{rows[limit - 1][1].id}.{rows[limit - 1][0][2]}" if len(rows) > limit else None
        return AuditPage([row[1] for row in rows[:limit]], more)

    async def _read(
        self, queues: Sequence[str], limit: int, before: Order | None, oldest: int
    ) -> list[list[Row]]:
        """The latest of each queue, none of them older than that in ms."""
        async with self._access.pool.links() as links:
            of_queues = [queue for queue in queues if queue != REMOVED]
            replies = await links.commands(
                of_queues, [self._command(q, limit, before, oldest) for q in of_queues]
            )
            if REMOVED in queues:
                replies.append(await links.home.call(*self._command(REMOVED, limit, before, oldest)))
        found = []
        for queue, reply in readable([*of_queues, REMOVED][: len(replies)], replies):
            entries = [entry(queue, number, pairs(fields)) for number, fields in reply]
            found.append([(_order(each.id, queue), each) for each in entries])
        return found

    def _command(self, queue: str, limit: int, before: Order | None, oldest: int) -> tuple[Any, ...]:
        key = self._access.shared.trail if queue == REMOVED else self._access.keys(queue).trail
        end = "+"
        if before is not None:
            end = f"{'' if queue < before[2] else '('}{before[0]}-{before[1]}"
        return ("XREVRANGE", key, end, oldest, "COUNT", limit)


def _order(number: str, queue: str) -> Order:
    ms, _, sequence = number.partition("-")
    return int(ms), int(sequence), queue
