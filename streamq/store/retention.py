"""Retention: finished records are deleted when they are old, or too many."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.outcomes import COMPLETED, ORDERS
from streamq.model.retention import DECLARED, TASK, UNSAID, Kept, digest, read, retention, written
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

log = logging.getLogger("streamq.store")

PAGE: Final = 100
"""Records that one call forgets: about a millisecond of the server's time. It takes fewer where they are large."""
TOLD: Final = 1_000
"""Fields of the key of a queue at most: far more tasks than anybody tells by hand, and read with each look at it."""


class Retention:
    """Commands: finished records are deleted; how many are kept is told to a queue."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- telling --------------------------------------------------------------------------------------------

    async def tell(self, queue: str, fields: Mapping[str, str | bytes]) -> bool:
        """Write fields of the key, or take them back where they are empty. Whether there was room."""
        parts = [part for field in fields.items() for part in field]
        async with self._access.pool.links() as links:
            told = await scripts.RETAIN.run(links.of(queue), self._access.keys(queue), TOLD, *parts)
        return bool(told)

    async def declare(self, links: Links, queues: Sequence[str], tasks: Mapping[str, Kept]) -> None:
        """Write, for each queue, what the code of each task says. What is refused is logged."""
        named = [
            part for n, kept in tasks.items() if kept != UNSAID for part in (DECLARED + n, written(kept))
        ]
        without = [DECLARED + name for name, kept in tasks.items() if kept == UNSAID]
        of, commands = [], []
        for queue in queues:
            key = self._access.keys(queue).retention
            for command in (("HSET", key, *named), ("HDEL", key, *without)):
                if len(command) > 2:
                    of.append(queue)
                    commands.append(command)
        for queue, reply in zip(of, await links.commands(of, commands), strict=True):
            if isinstance(reply, StreamqError):
                log.warning("the retention of tasks of %s cannot be written: %s", queue, reply)

    async def told_of(self, queue: str, task: str) -> Kept:
        """What operators told of a task."""
        key = self._access.keys(queue).retention
        raw = await self._access.pool.call(queue, "HGET", key, TASK + task)
        return UNSAID if raw is None else read(raw)

    # -- forgetting -----------------------------------------------------------------------------------------

    async def prune(self, queue: str) -> int:
        """Forget finished records past their number or their age. Returns how many."""
        async with self._access.pool.links() as links:
            link = links.of(queue)
            told = retention(pairs(await link.call("HGETALL", self._access.keys(queue).retention)))
            self._access.learn_retention(queue, told)
            kept = told.queue.or_else(self._access.default_retention)
            pruned = await self._prune_completed(link, queue, kept) + await self._prune_others(
                link, queue, kept
            )
            for task, own in told.tasks.items():
                for is_completed in (True, False):
                    pruned += await self._tidy(link, queue, task, own, is_completed=is_completed)
        return pruned

    async def end_windows(self, queue: str) -> int:
        """Free the unique keys whose windows have ended. Returns how many windows are left."""
        count = left = PAGE
        async with self._access.pool.links() as links:
            while count == PAGE:
                count, left = await scripts.PRUNE_WINDOWS.run(links.of(queue), self._access.keys(queue), PAGE)
        return left

    async def _prune_completed(self, link: Link, queue: str, kept: Kept) -> int:
        keys, pruned, more = self._access.keys(queue), 0, 1
        bounds = (_ms(kept.completed_for), PAGE, self._access.part_of(queue, kept.completed or 0))
        while more:
            count, more = await scripts.PRUNE.run(link, keys, *bounds)
            pruned += count
        return pruned

    async def _prune_others(self, link: Link, queue: str, kept: Kept) -> int:
        """Those of jobs that ended otherwise, by the bounds of failed ones."""
        keys, pruned = self._access.keys(queue), 0
        bounds = (_ms(kept.failed_for), PAGE, self._access.part_of(queue, kept.failed or 0))
        while await scripts.ADOPT.run(link, keys, PAGE):
            pass
        await self._regroup(link, queue)
        for index in (getattr(keys, name) for kind, name in ORDERS.items() if kind != COMPLETED):
            count = PAGE
            while count == PAGE:
                count = await scripts.PRUNE_ENDED.run(
                    link, scripts.PRUNE_ENDED.on(keys, index=index), *bounds
                )
                pruned += count
        return pruned

    async def _regroup(self, link: Link, queue: str) -> None:
        """See to it that all failed jobs are of a kind, where some are not: most often two sizes are asked for."""
        keys = self._access.keys(queue)
        failed, printed = await link.calls(("ZCARD", keys.failures), ("HLEN", keys.fingerprints))
        place, cursor = (0, b"0") if failed != printed else (-1, b"")
        while place >= 0 or cursor:
            place, cursor = await scripts.SORT_FAILURES.run(link, keys, place, cursor, PAGE)

    async def _tidy(self, link: Link, queue: str, task: str, own: Kept, *, is_completed: bool) -> int:
        pruned, more = 0, 1
        while more:
            call = tidy_call(self._access, queue, task, own, is_completed=is_completed)
            count, more = await scripts.TIDY.run(link, call[0], *call[1])
            pruned += count
        return pruned


def tidy_call(
    access: Access, queue: str, task: str, own: Kept, ids: Sequence[str] = (), *, is_completed: bool
) -> tuple[tuple[str, ...], list[Any]]:
    """Keys and arguments of a call that forgets what is too much of a task, ``ids`` being new."""
    keys = access.keys(queue)
    number, age = (own.completed, own.completed_for) if is_completed else (own.failed, own.failed_for)
    named = scripts.TIDY.on(keys, kept=keys.kept_of(is_completed, digest(task)))
    bounds = (
        "1" if is_completed else "",
        "" if number is None else access.part_of(queue, number),
        "" if age is None else _ms(age),
        PAGE,
    )
    return named, [*bounds, *ids]


def _ms(seconds: float | None) -> int:
    return int((seconds or 0) * 1000)
