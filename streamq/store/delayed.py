"""Delayed jobs: when they are due, and what becomes of them then."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model import due
from streamq.model.envelope import opened
from streamq.model.headers import parse_headers
from streamq.redis import scripts
from streamq.redis.answers import readable
from streamq.redis.links import Links
from streamq.redis.thread_links import ThreadLinks
from streamq.store.access import Access

log = logging.getLogger("streamq.store")

MOVED_AT_ONCE: Final = 100
"""Due times that one call changes: well within what Lua's ``unpack`` can pass on (some thousands)."""
UNKNOWN_SOON: Final = 31_000
"""Milliseconds within which a job of an unknown task is due: its retries are at most 30 seconds apart."""
OVERDUE: Final = 10_000
"""Milliseconds past its due time from which on nobody promotes a job: promoters are late by milliseconds."""
UNKNOWN_SEEN: Final = 1_000
"""Delayed jobs that the query for unknown tasks reads at most: ten round trips."""

DueTimes = Mapping[str, Sequence[tuple[str, float]]]
"""By queue, jobs and in how many seconds each is to be due."""


class Promoted(NamedTuple):
    """What a promotion did in one queue: how many jobs wait now, and in how many seconds the next is due, if any."""

    jobs: int
    wait: float | None


class Delayed:
    """Commands: due jobs are promoted, due times are moved. Queries: what is late, and what no worker knows."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def promote(
        self, links: Links, queues: Sequence[str], limit: int
    ) -> dict[str, Promoted | StreamqError]:
        """Due jobs become waiting, about ``limit`` of them in one round trip; by queue, or what went wrong in it."""
        each = max(1, limit // max(1, len(queues)))
        calls = [(self._access.keys(queue), (each,)) for queue in queues]
        replies = await scripts.PROMOTE.run_over(links, queues, calls)
        return {
            queue: reply if isinstance(reply, StreamqError) else self._promoted(queue, *reply)
            for queue, reply in zip(queues, replies, strict=True)
        }

    def _promoted(self, queue: str, now: int, count: int, wait: int, empty: int) -> Promoted:
        self._access.clock.set(now)
        if empty:
            log.warning("%d ids on %s were due and had no job: they are removed", empty, queue)
        return Promoted(count, None if wait < 0 else wait / 1_000_000)

    def move_due_times(self, links: ThreadLinks, out: DueTimes, back: DueTimes) -> None:
        """Postpone the jobs of ``out``, bring those of ``back`` forward; neither does the opposite. For a thread.

        Raises what went wrong first; the others are moved all the same.
        """
        errors: list[StreamqError] = []
        for queue in {**out, **back}:
            try:
                links.of(queue).calls(*self._moves(queue, out.get(queue, ()), back.get(queue, ())))
            except StreamqError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def bring_back(self, links: Links, queue: str, jobs: Sequence[tuple[str, float]]) -> None:
        """Bring jobs forward to the due times that they would have had; none is postponed."""
        await links.of(queue).calls(*self._moves(queue, (), jobs))

    def _moves(
        self, queue: str, out: Sequence[tuple[str, float]], back: Sequence[tuple[str, float]]
    ) -> list[tuple[Any, ...]]:
        return [*self._due_times(queue, "GT", out), *self._due_times(queue, "LT", back)]

    def _due_times(
        self, queue: str, direction: str, jobs: Sequence[tuple[str, float]]
    ) -> list[tuple[Any, ...]]:
        keys, commands = self._access.keys(queue), []
        for start in range(0, len(jobs), MOVED_AT_ONCE):
            page = [
                part
                for job_id, seconds in jobs[start : start + MOVED_AT_ONCE]
                for part in (job_id, due.after(seconds))
            ]
            commands.append(scripts.POSTPONE.in_full(keys, (direction, *page)))
        return commands

    # -- queries --------------------------------------------------------------------------------------------

    async def late(self, queue: str, seconds: float) -> int:
        """How many jobs should have been due for more than so many seconds."""
        before = int(self._access.clock.now() - seconds * 1000)
        return int(
            await self._access.pool.call(queue, "ZCOUNT", self._access.keys(queue).delayed, "-inf", before)
        )

    async def overdue(self, queues: Sequence[str]) -> dict[str, int]:
        """The same of several queues, of ten seconds, without those of none: one round trip to each server."""
        if not queues:
            return {}
        seconds, _ = await self._access.pool.call_home("TIME")
        before = int(seconds) * 1000 - OVERDUE
        commands = [("ZCOUNT", self._access.keys(queue).delayed, "-inf", before) for queue in queues]
        async with self._access.pool.links() as links:
            replies = await links.commands(queues, commands)
        return {queue: count for queue, count in readable(queues, replies) if count}

    async def unknown_tasks(self, queue: str) -> dict[str, int]:
        """By task, how many jobs wait for a worker that knows it: of the 1,000 that are due first within 31 seconds.

        The retries of such a job are at most 30 seconds apart, so each of them is among these.
        """
        keys, pool = self._access.keys(queue), self._access.pool
        seconds, _ = await pool.call(queue, "TIME")
        soon = int(seconds) * 1000 + UNKNOWN_SOON
        ids = await pool.call(
            queue, "ZRANGE", keys.delayed, "-inf", soon, "BYSCORE", "LIMIT", 0, UNKNOWN_SEEN
        )
        found: Counter[str] = Counter()
        for start in range(0, len(ids), 100):
            for envelope in await pool.call(queue, "HMGET", keys.parked, *ids[start : start + 100]):
                task, headers, _ = opened(envelope or b"")
                if parse_headers(headers).get("unknown_task_count"):
                    found[task.decode("utf-8", "replace")] += 1
        return dict(found)
