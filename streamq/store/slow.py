"""The slowest jobs of the last hour, by queue: workers tell them, and the slowest of each ten minutes are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.slow import SlowJob
from streamq.model.slowest import KEPT, MOST, ended_since, numbers
from streamq.redis import scripts
from streamq.redis.answers import readable
from streamq.redis.links import Links
from streamq.store.access import Access

HOUR: Final = 3_600_000
"""Milliseconds."""


class SlowStore:
    """Commands: what workers tell is kept. Queries: those of the last hour."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def add(
        self, links: Links, told: Mapping[str, Mapping[bytes, int]], number: int
    ) -> dict[str, Any | StreamqError]:
        """Keep jobs, by queue, with the ms that each ran, in the part of the time of this number. What is kept already
        is kept once. By queue, what the server says."""
        calls = []
        for queue, jobs in told.items():
            rows = [part for said, took in jobs.items() for part in (took, said)]
            keys = self._access.keys(queue)
            calls.append((scripts.SLOW.on(slow=keys.slow_of(number)), [KEPT, MOST, *rows]))
        replies = await scripts.SLOW.run_over(links, list(told), calls)
        return dict(zip(told, replies, strict=True))

    async def of_the_hour(self, queues: Sequence[str], now: int) -> list[SlowJob]:
        """Those of these queues that have ended in the hour before ``now``, in ms: all servers in one round trip."""
        asked = [(queue, number) for queue in queues for number in numbers(now, HOUR)]
        if not asked:
            return []
        names = [queue for queue, _ in asked]
        commands = [
            ("ZRANGE", self._access.keys(queue).slow_of(number), 0, -1, "WITHSCORES")
            for queue, number in asked
        ]
        async with self._access.pool.links() as links:
            replies = await links.commands(names, commands)
        found: list[SlowJob] = []
        for queue, reply in readable(names, replies):
            rows = [(raw, float(took)) for raw, took in zip(reply[::2], reply[1::2], strict=True)]
            found += ended_since(queue, rows, now - HOUR)
        return found
