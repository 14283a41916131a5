"""Failures: the kinds of failed jobs that failed alike, and how many of each are failed now."""

from __future__ import annotations

from typing import Final

from streamq.model.failure_kinds import FailureKind, kind_of
from streamq.redis.link import Link
from streamq.redis.replies import pairs
from streamq.store.access import Access

COUNTED_AT_ONCE: Final = 200
"""Kinds whose jobs are counted in one round trip."""


class Failures:
    """Queries: the kinds of a queue."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def kinds(self, queue: str) -> list[FailureKind]:
        """Those of the queue, the one with the most failed jobs first."""
        async with self._access.pool.links() as links:
            link = links.of(queue)
            key = self._access.keys(queue).failure_kinds
            rows, clock = await link.calls(("HGETALL", key), ("TIME",))
            self._access.clock.set(now := int(clock[0]) * 1000 + int(clock[1]) // 1000)
            named = pairs(rows)
            counts = await self._counted(link, queue, [*named])
        kinds = [
            kind_of(queue, name, raw, count, now)
            for (name, raw), count in zip(named.items(), counts, strict=True)
        ]
        return sorted(kinds, key=_most_first)

    async def _counted(self, link: Link, queue: str, names: list[bytes]) -> list[int]:
        key, counts = self._access.keys(queue).fingerprinted, list[int]()
        for start in range(0, len(names), COUNTED_AT_ONCE):
            part = names[start : start + COUNTED_AT_ONCE]
            commands = [("ZLEXCOUNT", key, b"[%b\n" % name, b"(%b\v" % name) for name in part]
            counts += await link.calls(*commands)
        return counts


def _most_first(kind: FailureKind) -> tuple[int, float, str]:
    return -kind.failed, -kind.last_at.timestamp() if kind.last_at else 0.0, kind.fingerprint
