"""The partitions of the queues that a worker serves: more of them may come while it runs, and none is left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streamq.duties.duty import Wakeable
from streamq.model.pace import is_many
from streamq.store.store import Store

LOOK: Final = 2.0
"""Seconds between two looks: so late is a worker at jobs of a partition that is new."""
LATE: Final = 15
"""One look of so many is for partitions that nobody should use any more."""
LOOK_AT_MANY: Final = 10.0
"""The same of a worker with many queues."""


class Served(Wakeable):
    """Duty: know the partitions of ``queues``. ``tell`` sees to it that what code declares is told, and ``begin`` adds
    those that are new to ``names``."""

    def __init__(
        self, store: Store, queues: Sequence[str], tell: Callable[[], Awaitable[object]],
        begin: Callable[[list[str]], Awaitable[None]],
    ) -> None:  # fmt: skip
        super().__init__("partitions", store)
        self._of, self._tell, self._begin = queues, tell, begin
        self._looks = 0
        self.names: list[str] = []

    async def find(self) -> None:
        """Know them at first."""
        await self._tell()
        self.names[:] = await self._store.partition.in_use(self._of)

    async def once(self) -> int:
        """Ask. Returns how many are new."""
        await self._tell()
        self._looks += 1
        partitions = self._store.partition
        ask = partitions.in_use if self._looks % LATE == 0 else partitions.of_each
        new = [name for name in await ask(self._of) if name not in self.names]
        if new:
            await self._begin(new)
        return len(new)

    async def rest(self) -> None:
        """A moment; longer where there are many queues, of which most have but one."""
        await self._pause(LOOK if not is_many(len(self.names)) else LOOK_AT_MANY)
