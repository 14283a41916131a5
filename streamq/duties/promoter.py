"""Duty: delayed jobs that are due become waiting, to the millisecond.

It sleeps until the next due time, on an alarm of its own (the server's own time-outs are good to 100 ms only), and is
woken when an earlier one arrives. The chief of a queue's upkeep does it at once, its deputy a moment later: that
finds something to do only when the chief is held up. The script is atomic, so any number may run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.alarm import Punctual
from streamq.model.clock import monotonic
from streamq.model.pace import paced
from streamq.model.places import queue_of
from streamq.redis.links import Links
from streamq.store.store import Store

log = logging.getLogger("streamq.promoter")

FIRST: Final = 50
"""Jobs of the first call, and half as many again in each that follows: while those of one call start in the worker, the
server sees to the next call, and neither waits for the other."""
BATCH: Final = 200
"""Jobs of the largest call: two milliseconds of the server's time, in which no other command runs."""
SLEPT: Final = 0.05
"""Seconds of rest after which the process and the server, as they have slept, lose half a millisecond at first."""
AHEAD: Final = 0.001
"""Seconds before a due time at which it asks after such a rest, which wakes them; the answer says when it is due."""
POLL: Final = 5.0
"""Seconds from one look to the next at most, when nothing is known to be due and signals of it are not heard."""
NET: Final = 10.0
"""The same where they are heard: one is lost only with its connection, and a new one is news by itself."""
LATE: Final = 0.25
"""Seconds past its due time at which a deputy promotes a job: no chief that works is so late."""
NEWS: Final = b"due"
"""The word of the signal that tells of an earlier due time."""


class Promoter(Punctual):
    """Promotes in the queues that ``queues()`` names, and what is overdue in those of ``overdue()``.

    ``on_turn`` is told when jobs may come, and when no more do.

    ``poll`` is the longest rest, in seconds: a safety net. ``deaf_poll`` is that where a queue's signals are not heard.
    """

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, overdue: Callable[[], Sequence[str]] = tuple,
        poll: float = NET, deaf_poll: float = POLL, links: Links | None = None,
        on_turn: Callable[[bool], None] = lambda _: None,
    ) -> None:  # fmt: skip
        super().__init__(
            "promoter", store, lambda: [*queues(), *overdue()], longest=poll, act="promote jobs of", links=links
        )  # fmt: skip
        self._own, self._overdue, self._deaf_poll, self._on_turn = queues, overdue, deaf_poll, on_turn
        self._heard: set[str] = set()

    def _hear(self, queue: str, message: bytes | None) -> None:
        """There is an earlier due time, or may be."""
        if message is None or message.startswith(NEWS):
            self._heard.add(queue)
            self._woken.set()

    async def once(self) -> int:
        """Promote all that is due. Returns how many jobs."""
        queues = self._turn()
        self._on_turn(bool(queues))
        try:
            return await self._promote(queues)
        finally:
            self._on_turn(False)  # it is the news itself

    async def _promote(self, queues: list[str]) -> int:
        promoted, limit, overdue = 0, FIRST, frozenset(self._overdue())
        while queues:
            asked = monotonic()  # the server counts from when it is asked, or later: never from before
            replies = await self._store.delayed.promote(self._links, queues, limit)
            limit, queues = min(limit + limit // 2, BATCH), []
            for queue, reply in self._troubles.answers(replies).items():
                promoted += reply.jobs
                if reply.jobs:
                    log.debug("%d delayed jobs of %s are due and wait now", reply.jobs, queue_of(queue))
                if reply.wait == 0:
                    queues.append(queue)
                else:
                    self._at[queue] = asked + self._next_look(
                        queue, reply.wait, LATE if queue in overdue else 0.0
                    )
        return promoted

    def _next_look(self, queue: str, wait: float | None, late: float) -> float:
        hears = self._store.signals.of(queue).hears(self._store.keys(queue).signals)
        longest = paced(self._longest, len(self._at)) if hears else min(self._longest, self._deaf_poll)
        if wait is None:
            return longest
        return min(longest, wait + (late or (-AHEAD if wait > SLEPT else 0.0)))

    def _turn(self) -> list[str]:
        """The queues to look at now: all of them when it is not the loop that calls."""
        now, mine = monotonic(), dict.fromkeys(self._own())
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
        return self._troubles.rested(queue for queue, at in self._at.items() if at <= now)
