"""The partitions of the queues that a worker serves: more of them may come while it runs, and none is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streamq.duties.duty import Wakeable
from streamq.store.store import Store

LOOK: Final = 10.0
"""Seconds between two looks: so late is a worker at jobs of a partition that is new, where the signal was lost."""
LATE: Final = 3
"""One look of so many is for partitions that nobody should use any more."""
NEWS: Final = b"partitions"
"""The word of the signal that tells of a change."""


class Served(Wakeable):
    """Duty: know the partitions of ``queues``. ``tell`` sees to it that what code declares is told, and ``begin`` adds
    those that are new to ``names``."""

    def __init__(
        self, store: Store, queues: Sequence[str], tell: Callable[[], Awaitable[object]],
        begin: Callable[[list[str]], Awaitable[None]],
    ) -> None:  # fmt: skip
        super().__init__("partitions", store)
        self._of, self._tell, self._begin = queues, tell, begin
        self._looks, self._heard = 0, False
        self._listening: dict[str, Callable[[], None]] = {}
        self.names: list[str] = []

    async def find(self) -> None:
        """Know them at first."""
        await self._tell()
        self.names[:] = await self._store.partition.in_use(self._of)

    async def once(self) -> int:
        """Ask. Returns how many are new."""
        self._woken.clear()
        channels = {queue: self._store.keys(queue).signals for queue in self._of}
        self._store.signals.listen_only(self._listening, channels, self._hear)
        await self._tell()
        if self._heard:
            self._heard = False
            await self._store.partition.refresh(fresh=0.0)
        self._looks += 1
        partitions = self._store.partition
        ask = partitions.in_use if self._looks % LATE == 0 else partitions.of_each
        new = [name for name in await ask(self._of) if name not in self.names]
        if new:
            await self._begin(new)
        return len(new)

    async def rest(self) -> None:
        """A while, or until a signal tells of a change."""
        await self._pause(LOOK)

    def _hear(self, _queue: str, message: bytes | None) -> None:
        if message is None or message.startswith(NEWS):
            self._heard = True
            self.wake()

    async def close(self) -> None:
        """Hear of nothing any more."""
        self._store.signals.listen_only(self._listening, {}, self._hear)
        await super().close()
