"""Duty: delayed jobs that are due become waiting, to the millisecond.

It sleeps until the next due time, on its own timer (the server's own time-outs are good to 100 ms only), and is
woken when an earlier one arrives. The chief of a queue's upkeep does it at once, its deputy a moment later: that
finds something to do only when the chief is held up. The script is atomic, so any number may run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from streamq.clock import monotonic
from streamq.connection import Link
from streamq.errors import StreamqError, Unavailable
from streamq.store import Store
from streamq.worker.duty import Troubles, concerns_all, pause

FIRST: Final = 50
"""Jobs of the first call, and twice as many in each that follows: the first of many start while the others come."""
BATCH: Final = 200
"""Jobs of the largest call: two milliseconds of the server's time, in which no other command runs."""
WAKE_BLOCK: Final = 10.0
POLL: Final = 5.0
LATE: Final = 0.25
"""Seconds past its due time at which a deputy promotes a job."""
TICK: Final = 0.002
"""Seconds a timer may ring early: the event loop counts whole milliseconds."""


class Promoter:
    """Promotes in the queues that ``queues()`` names, and what is overdue in those of ``overdue()``.

    ``poll`` is the longest rest, in seconds: a safety net.
    """

    name = "promoter"

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, overdue: Callable[[], Sequence[str]] = tuple,
        poll: float = POLL,
    ) -> None:  # fmt: skip
        self._store, self._queues, self._overdue, self._poll = store, queues, overdue, poll
        self._link, self._wake_link = Link(store.servers), Link(store.servers, "streamq-wake")
        self._troubles = Troubles(self.name)
        self._at: dict[str, float] = {}
        self._rested = False
        self._woken = asyncio.Event()
        self._waker: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """There may be an earlier due time, or another queue to see to."""
        self._woken.set()

    async def once(self) -> int:
        """Promote all that is due. Returns how many jobs."""
        if self._waker is None:
            self._waker = asyncio.create_task(self._listen(), name="promoter wake")
        queues, promoted, limit = self._turn(), 0, FIRST
        while queues:
            replies = await self._store.promote(self._link, queues, limit)
            limit, queues, now = min(2 * limit, BATCH), [], monotonic()
            for queue, reply in replies.items():
                if isinstance(reply, StreamqError):
                    if concerns_all(reply):
                        raise reply
                    self._troubles.met(queue, reply)
                    continue
                self._troubles.over(queue)
                promoted += reply.jobs
                if reply.wait == 0:
                    queues.append(queue)
                else:
                    self._at[queue] = now + self._next_look(queue, reply.wait)
        return promoted

    def _next_look(self, queue: str, wait: float | None) -> float:
        late = LATE if queue in self._overdue() else 0.0
        return self._poll if wait is None else min(self._poll, wait + late)

    def _turn(self) -> list[str]:
        """The queues to look at now: all of them when it is not the loop that calls."""
        now, mine = monotonic(), list(self._queues())
        late = [queue for queue in self._overdue() if queue not in mine]
        woken, rested = self._woken.is_set(), self._rested
        self._woken.clear()
        self._rested = False
        if woken or not rested:
            self._at.update(dict.fromkeys(mine, now))
        if woken:
            self._at.update({queue: min(self._at.get(queue, now), now + LATE) for queue in late})
        self._at = {queue: self._at.get(queue, now) for queue in (*mine, *late)}
        return self._troubles.rested(queue for queue, at in self._at.items() if at <= now + TICK)

    async def rest(self) -> None:
        """Until the next job is due, or an earlier one arrives."""
        self._rested = True
        now = monotonic()
        due = [self._at[queue] for queue in self._troubles.rested(self._at)]
        await pause(min([now + self._poll, now + self._troubles.until_next(), *due]) - now, self._woken)

    async def _listen(self) -> None:
        while True:
            keys = [self._store.keys(queue).wake for queue in self._queues()]
            try:
                if keys and await self._wake_link.call("BLPOP", *keys, WAKE_BLOCK, timeout=WAKE_BLOCK + 5):
                    self._woken.set()
                elif not keys:
                    await asyncio.sleep(0.1)
            except Unavailable:
                await asyncio.sleep(1.0)

    async def close(self) -> None:
        """End the listening."""
        if self._waker is not None:
            self._waker.cancel()
            await asyncio.wait([self._waker])
        await self._link.close()
        await self._wake_link.close()
