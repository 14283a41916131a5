"""Duty: a change of partitions comes to its end. What has another home goes there once none of its jobs is left where
it was, and partitions that are not used any more are looked at no longer once they are empty for a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.redis.links import Links
from streamq.store.store import Store

EVERY: Final = 5.0
"""Seconds between two looks."""


class Placer(Rounds):
    """Sees to the queues that ``queues()`` names; a queue is that of its first partition."""

    each = 0.0  # one look at what is told is for all of them

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__(
            "placer", store, queues, longest=EVERY, act="find homes for the groups of", links=links
        )

    async def see_to(self, queue: str) -> int:
        """Take the next step of a change, if one goes on."""
        partitions = self._store.partition
        await partitions.refresh(fresh=EVERY / 2)
        if queue in self._store.partitions and partitions.known(queue).is_changing:
            await partitions.sweep(queue)
            return 1
        return 0
