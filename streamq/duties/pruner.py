"""Duty: finished records past their age are forgotten, windows of unique keys that have ended, and names of queues that
nothing has been left of.

(The number of records is bounded when they are written.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.model.pace import COSTLY
from streamq.store.store import Store

EVERY: Final = 60.0
"""Seconds between two rounds: what is past its age by a minute harms nobody."""


class Pruner(Rounds):
    """Prunes the queues that ``queues()`` names, once a minute; of many, those first in which there is something."""

    each = COSTLY

    def __init__(self, store: Store, queues: Callable[[], Sequence[str]]) -> None:
        super().__init__("pruner", store, queues, longest=EVERY, act="prune the records of")

    async def see_to(self, queue: str) -> int:
        """Prune one queue. Returns how many records, schedules, reports and results are forgotten."""
        pruned = await self._store.retention.prune(queue) + await self._store.schedules.forget_ended(queue)
        pruned += await self._store.reports.prune(queue) + await self._store.results.prune(queue)
        if not await self._store.retention.end_windows(queue):  # else there is something left to prune
            await self._strike_if_unused(queue)
        return pruned

    async def _strike_if_unused(self, queue: str) -> None:
        """A misspelt name would stay on the list for ever; one of use comes back with its next worker or batch."""
        if await self._is_used(queue):
            return
        await self._store.queues.strike(queue)
        if await self._is_used(queue):  # since we looked: it was announced, and then we struck it off
            await self._store.queues.announce(queue)

    async def _is_used(self, queue: str) -> bool:
        if any(queue in worker.queues for worker in await self._store.workers.listed()):
            return True  # as nearly always: one command instead of ten
        counts = await self._store.queues.counts(queue)
        return any(counts.asdict().values()) or bool(await self._store.schedules.count(queue))
