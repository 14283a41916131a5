"""Duty: delayed jobs that are due become waiting, to the millisecond.

It sleeps until the next due time, on its own timer (the server's own time-outs are good to 100 ms only), and is
woken when an earlier one arrives. Any number may run: the script is atomic, so there is no leader.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

from streamq.connection import Link
from streamq.store import Store

FIRST: Final = 50
"""Jobs of the first call, and twice as many in each that follows: the first of many start while the others come."""
BATCH: Final = 200
"""Jobs of the largest call: two milliseconds of the server's time, in which no other command runs."""
POLL: Final = 5.0


class Promoter:
    """Promotes in the queues that ``queues()`` names. ``poll`` is the longest rest, in seconds: a safety net."""

    name = "promoter"

    def __init__(self, store: Store, queues: Callable[[], Sequence[str]], *, poll: float = POLL) -> None:
        self._store, self._queues, self._poll = store, queues, poll
        self._link = Link(store.servers)
        self._pause = 0.0
        self._woken = asyncio.Event()
        self._listening: dict[str, Callable[[], None]] = {}

    async def once(self) -> int:
        """Promote all that is due. Returns how many jobs."""
        self._woken.clear()
        promoted, self._pause, limit = 0, self._poll, FIRST
        queues = self._queues()
        self._listen(queues)
        while queues:
            count, waits = await self._store.promote(self._link, queues, limit)
            promoted, limit = promoted + count, min(2 * limit, BATCH)
            self._pause = min([self._pause, *[wait for wait in waits.values() if wait]])
            queues = [queue for queue, wait in waits.items() if wait == 0]
        return promoted

    async def rest(self) -> None:
        """Until the next job is due, or an earlier one arrives."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._woken.wait()

    def _listen(self, queues: Sequence[str]) -> None:
        """Be woken by an earlier due time in these queues, and by no others any more."""
        for queue in set(self._listening) - set(queues):
            self._listening.pop(queue)()
        for queue in queues:
            if queue not in self._listening:
                channel = self._store.keys(queue).signals
                self._listening[queue] = self._store.signals.listen(channel, lambda _: self._woken.set())

    async def close(self) -> None:
        """End the listening."""
        self._listen(())
        await self._link.close()
