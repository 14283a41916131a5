"""Duty: delayed jobs that are due become waiting, to the millisecond.

It sleeps until the next due time, on its own timer (the server's own time-outs are good to 100 ms only), and is
woken when an earlier one arrives. The chief of a queue's upkeep does it at once, its deputy a moment later: that
finds something to do only when the chief is held up. The script is atomic, so any number may run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import pause
from streamq.duties.trouble import Troubles, concerns_all
from streamq.errors import StreamqError
from streamq.model.clock import monotonic
from streamq.redis.link import Link
from streamq.store.store import Store

log = logging.getLogger("streamq.promoter")

FIRST: Final = 50
"""Jobs of the first call, and twice as many in each that follows: the first of many start while the others come."""
BATCH: Final = 200
"""Jobs of the largest call: two milliseconds of the server's time, in which no other command runs."""
POLL: Final = 5.0
LATE: Final = 0.25
"""Seconds past its due time at which a deputy promotes a job."""
TICK: Final = 0.002
"""Seconds a timer may ring early: the event loop counts whole milliseconds."""
NEWS: Final = b"due"
"""The word of the signal that tells of an earlier due time."""


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
        self._link = Link(store.servers)
        self._troubles = Troubles("promote jobs of", log)
        self._at: dict[str, float] = {}
        self._rested = False
        self._woken = asyncio.Event()
        self._heard: set[str] = set()
        self._listening: dict[str, Callable[[], None]] = {}

    def wake(self) -> None:
        """There may be another queue to see to."""
        self._woken.set()

    def _hear(self, queue: str, message: bytes | None) -> None:
        """There is an earlier due time, or may be."""
        if message is None or message.startswith(NEWS):
            self._heard.add(queue)
            self._woken.set()

    async def once(self) -> int:
        """Promote all that is due. Returns how many jobs."""
        queues, promoted, limit = self._turn(), 0, FIRST
        while queues:
            replies = await self._store.promote(self._link, queues, limit)
            limit, queues, now = min(2 * limit, BATCH), [], monotonic()
            for queue, reply in replies.items():
                if isinstance(reply, StreamqError):
                    if concerns_all(reply):
                        raise reply
                    self._troubles.met({queue: reply})
                    continue
                self._troubles.over(queue)
                promoted += reply.jobs
                if reply.jobs:
                    log.debug("%d delayed jobs of %s are due and wait now", reply.jobs, queue)
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
        self._listen((*mine, *late))
        heard, self._heard = self._heard, set()
        self._woken.clear()
        looked_at = heard.intersection(mine) if self._rested else mine
        self._rested = False
        self._at.update(dict.fromkeys(looked_at, now))
        self._at.update(
            {queue: min(self._at.get(queue, now), now + LATE) for queue in heard.intersection(late)}
        )
        self._at = {queue: self._at.get(queue, now) for queue in (*mine, *late)}
        return self._troubles.rested(queue for queue, at in self._at.items() if at <= now + TICK)

    async def rest(self) -> None:
        """Until the next job is due, or an earlier one arrives."""
        self._rested = True
        now = monotonic()
        due = [self._at[queue] for queue in self._troubles.rested(self._at)]
        await pause(min([now + self._poll, now + self._troubles.until_next(), *due]) - now, self._woken)

    def _listen(self, queues: Sequence[str]) -> None:
        """Be woken by an earlier due time in these queues, and by no others any more."""
        channels = {queue: self._store.keys(queue).signals for queue in queues}
        self._store.signals.listen_only(self._listening, channels, self._hear)

    async def close(self) -> None:
        """End the listening."""
        self._listen(())
        await self._link.close()
