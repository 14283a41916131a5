"""Duty: finished records past their age are forgotten. (Their number is bounded when they are written.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from streamq.store import Store

EVERY: Final = 60.0


class Pruner:
    """Prunes the queues that ``queues()`` names, once a minute."""

    name = "pruner"

    def __init__(self, store: Store, queues: Callable[[], Sequence[str]]) -> None:
        self._store, self._queues = store, queues

    async def once(self) -> int:
        """Forget what is too old. Returns how many records."""
        return sum([await self._store.prune(queue) for queue in self._queues()])

    async def rest(self) -> None:
        """A minute."""
        await asyncio.sleep(EVERY)

    async def close(self) -> None:
        """Nothing to let go of."""
