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
from streamq.errors import Unavailable
from streamq.store import Store

FIRST: Final = 50
"""Jobs of the first call, and twice as many in each that follows: the first of many start while the others come."""
BATCH: Final = 200
"""Jobs of the largest call: two milliseconds of the server's time, in which no other command runs."""
WAKE_BLOCK: Final = 10.0
POLL: Final = 5.0


class Promoter:
    """Promotes in the queues that ``queues()`` names. ``poll`` is the longest rest, in seconds: a safety net."""

    name = "promoter"

    def __init__(self, store: Store, queues: Callable[[], Sequence[str]], *, poll: float = POLL) -> None:
        self._store, self._queues, self._poll = store, queues, poll
        self._link, self._wake_link = Link(store.servers), Link(store.servers, "streamq-wake")
        self._pause = 0.0
        self._woken = asyncio.Event()
        self._waker: asyncio.Task[None] | None = None

    async def once(self) -> int:
        """Promote all that is due. Returns how many jobs."""
        self._woken.clear()
        if self._waker is None:
            self._waker = asyncio.create_task(self._listen(), name="promoter wake")
        promoted, self._pause, limit = 0, self._poll, FIRST
        queues = self._queues()
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

    async def _listen(self) -> None:
        while True:
            keys = [self._store.keys(queue).wake for queue in self._queues()]
            try:
                if keys and await self._wake_link.call("BLPOP", *keys, WAKE_BLOCK, timeout=WAKE_BLOCK + 5):
                    self._woken.set()
                elif not keys:
                    await asyncio.sleep(self._poll)
            except Unavailable:
                await asyncio.sleep(1.0)

    async def close(self) -> None:
        """End the listening."""
        if self._waker is not None:
            self._waker.cancel()
            await asyncio.wait([self._waker])
        await self._link.close()
        await self._wake_link.close()
