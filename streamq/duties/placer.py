"""Duty: a change of partitions comes to its end. What has another home goes there once none of its jobs is left where
it was, and partitions that are not used any more are looked at no longer once they are empty for a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.model.clock import monotonic
from streamq.redis.links import Links
from streamq.store.store import Store

EVERY: Final = 5.0
"""Seconds between two looks."""
REST: Final = 50
"""So many times as long as a look took is its queue left in peace: a group with a job that is delayed for a year makes
all jobs of the queue be looked at for as long."""


class Placer(Rounds):
    """Sees to the queues that ``queues()`` names; a queue is that of its first partition."""

    each = 0.0  # one look at what is told is for all of them

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__(
            "placer", store, queues, longest=EVERY, act="find homes for the groups of", links=links
        )
        self._next: dict[str, float] = {}
        """When to look at a queue again."""

    async def see_to(self, queue: str) -> int:
        """Take the next step of a change, if one goes on."""
        partitions, began = self._store.partition, monotonic()
        await partitions.refresh(fresh=EVERY / 2)
        its = partitions.known(queue)
        if queue not in self._store.partitions or not its.is_changing:
            self._next.pop(queue, None)
        elif began >= self._next.get(queue, 0.0):
            await partitions.sweep(queue)
            if its.phase == "moving":
                self._next[queue] = monotonic() + REST * (monotonic() - began)
            return 1
        return 0
