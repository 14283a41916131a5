"""Duty: jobs that were held by the pause of their task wait again when that is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.model.clock import monotonic
from streamq.redis.links import Links
from streamq.store.store import Store

EVERY: Final = 5.0
"""Seconds between two looks: a pause may end by itself. One that is ended by an operator is heard of at once."""


class Resumer(Rounds):
    """Sees to the queues that ``queues()`` names."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__("resumer", store, queues, longest=EVERY, act="resume the held jobs of", links=links)

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is None or message.startswith(b"steer"):
            self._at[queue] = monotonic()
            self._rested = True
            self.wake()

    async def once(self) -> int:
        """One round over the queues that are due."""
        self._listen(self._queues())
        return await super().once()

    async def see_to(self, queue: str) -> int:
        """Let wait what is held no more. Returns how many jobs."""
        return await self._store.steering.resume_held(self._links, queue)
