"""Retention: finished records are deleted when they are old, or too many."""

from __future__ import annotations

from typing import Final

from streamq.model.outcomes import COMPLETED, ORDERS
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.store.access import Access

PAGE: Final = 100
"""Records that one call forgets: about a millisecond of the server's time. It takes fewer where they are large."""


class Retention:
    """Commands: finished records are deleted."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def prune(self, queue: str) -> int:
        """Forget finished records past their number or their age. Returns how many."""
        async with self._access.pool.links() as links:
            link = links.of(queue)
            return await self._prune_completed(link, queue) + await self._prune_others(link, queue)

    async def end_windows(self, queue: str) -> int:
        """Free the unique keys whose windows have ended. Returns how many windows are left."""
        count = left = PAGE
        async with self._access.pool.links() as links:
            while count == PAGE:
                count, left = await scripts.PRUNE_WINDOWS.run(links.of(queue), self._access.keys(queue), PAGE)
        return left

    async def _prune_completed(self, link: Link, queue: str) -> int:
        keys, settings, pruned, more = self._access.keys(queue), self._access.settings, 0, 1
        bounds = (int(settings.keep_completed_for * 1000), PAGE, settings.keep_completed)
        while more:
            count, more = await scripts.PRUNE.run(link, keys, *bounds)
            pruned += count
        return pruned

    async def _prune_others(self, link: Link, queue: str) -> int:
        """Those of jobs that ended otherwise, by the bounds of failed ones."""
        keys, settings, pruned = self._access.keys(queue), self._access.settings, 0
        bounds = (int(settings.keep_failed_for * 1000), PAGE, settings.keep_failed)
        while await scripts.ADOPT.run(link, keys, PAGE):
            pass
        for index in (getattr(keys, name) for kind, name in ORDERS.items() if kind != COMPLETED):
            count = PAGE
            while count == PAGE:
                count = await scripts.PRUNE_ENDED.run(
                    link, scripts.PRUNE_ENDED.on(keys, index=index), *bounds
                )
                pruned += count
        return pruned
