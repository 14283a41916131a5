"""Duty: take part in the upkeep of each queue. What all could do, two do, so its cost does not grow with their number.

Seat 1, the chief, does everything: it promotes, recovers, prunes and audits. Seat 2, the deputy, watches for lost
workers as well, and promotes what the chief leaves lying. The others stand by. A seat is a claim that expires; its
holder renews it, and hears at once of who comes. It is no lock: every script is atomic, so two chiefs at once do the
same work and no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from streamq.duties.duty import ByQueue
from streamq.errors import StreamqError, Unavailable
from streamq.model.clock import monotonic
from streamq.model.pace import VISIT, is_many, paced
from streamq.redis.links import Links
from streamq.store.seats import Claimed
from streamq.store.store import Store

CHIEF: Final = 1
DEPUTY: Final = 2
WATCHER: Final = 3
"""For a process that only recovers: it must not keep anybody from promoting."""

BRIEF: Final = 2.0
"""Seconds a claim lasts while others stand by, who would take over."""
LONG: Final = 30.0
"""Seconds it lasts while nobody does: who comes then makes it end as soon as the others, unless it is renewed."""
QUEUES_A_SECOND: Final = 15
"""Claims a process renews in a second, about: one with many queues claims each for longer."""
LASTS: Final = 3 * VISIT
"""Seconds that a claim lasts which the visits of a worker with many queues renew."""
STAND_BY: Final = (1.0, 10.0)
"""Seconds between two looks of those who stand by, together; and of each of them at most."""
SCHEDULER: Final = "scheduler-"
"""How the name begins under which a process without a worker claims."""
NEWS: Final = b"upkeep"
"""The word of the signal that tells of a seat taken, or of one more who stands by."""


class Seats(ByQueue):
    """The seats of this process, ``who``, in the upkeep of the queues that ``queues()`` names.

    ``brief`` claims are for one whose end nobody sees by its connections: it is on no list of workers.
    """

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], who: str, *, seats: Sequence[int] = (CHIEF, DEPUTY),
        brief: bool = False, links: Links | None = None,
    ) -> None:  # fmt: skip
        super().__init__("upkeep", store, queues, longest=LONG / 2, act="share the upkeep of", links=links)
        self._who, self._seats, self._brief = who, seats, brief
        self._held: dict[str, int] = {}
        self._asked: list[str] = []
        """The queues of a claim that is on its way: it may have been granted when its answer is not waited for."""
        self._workers: dict[str, int] = {}
        self._standing_by: set[str] = set()
        """The queues in whose upkeep this process has a seat and others stand by."""
        self._paces: dict[str, float] = {}
        self._told: list[Callable[[], None]] = []

    # -- for the duties -------------------------------------------------------------------------------------

    def chief(self) -> list[str]:
        """The queues in which this process has the first seat of its kind: it does all that it takes part in."""
        return [queue for queue, seat in self._held.items() if seat == self._seats[0]]

    def deputy(self) -> list[str]:
        """Those in which it promotes only what is left lying."""
        return [queue for queue, seat in self._held.items() if seat == DEPUTY]

    def watched(self) -> list[str]:
        """Those in which it watches for lost workers: both, and a watcher's."""
        return [queue for queue, seat in self._held.items() if seat]

    def others(self) -> bool:
        """Whether these queues have workers beside this one, or may have."""
        own = 0 if self._brief else 1
        return any(self._workers.get(queue, own + 1) > own for queue in self.watched())

    def tell(self, told: Callable[[], None]) -> None:
        """Call ``told`` at each change."""
        self._told.append(told)

    def lost(self) -> None:
        """A holder is lost: claim all of them now."""
        self._at.clear()
        self.wake()

    # -- the duty -------------------------------------------------------------------------------------------

    async def once(self) -> int:
        """Claim and renew what is due. Returns in how many queues something has changed."""
        self._woken.clear()
        now, queues = monotonic(), self._queues()
        due = [queue for queue in self._troubles.rested(queues) if self._at.get(queue, now) <= now]
        changed = 0
        if due:
            fresh = {queue: queue not in self._held for queue in due}
            lasts, together = self._lasts(queues), self._together(queues)
            self._asked = due
            replies = await self._store.seats.claim(
                self._links, fresh, self._who, self._seats, lasts, together
            )
            self._asked = []
            changed = sum(self._answered(queue, reply, together) for queue, reply in replies.items())
            renewed = monotonic() + min(lasts, self._lasts(queues)) / 2  # as it was told now of who stands by
            if not self._are_visited():
                self._at.update({queue: renewed for queue in replies if self._held.get(queue)})
        for gone in set(self._held) - set(queues):
            del self._held[gone]
            self._paces.pop(gone, None)
            self._standing_by.discard(gone)
        self._listen(self.watched())
        if changed:
            for told in self._told:
                told()
        return changed

    def _answered(self, queue: str, reply: Claimed | StreamqError, together: float) -> bool:
        before = self._held.get(queue), self._workers.get(queue)
        if isinstance(reply, StreamqError):
            self._troubles.met({queue: reply})
            # without claims everybody does the upkeep: expensive, but all of it is done
            self._held[queue] = self._seats[0]
            self._workers.pop(queue, None)
            return before[0] != self._seats[0]
        self._troubles.over(queue)
        self._held[queue], self._workers[queue] = reply.seat, reply.workers
        self._standing_by.discard(queue)
        if self._are_visited():
            self._at[queue] = monotonic() + paced(LONG, len(self._queues()))
        elif not reply.seat:
            again = self._look_again(queue, another=reply.others, together=together)
            self._at[queue] = monotonic() + again
        if reply.seat and reply.others:
            self._standing_by.add(queue)
        return before != (reply.seat, reply.workers)

    def _lasts(self, queues: Sequence[str]) -> float:
        """How long a claim lasts: for long where this one has seats, and would hear of who comes to stand by."""
        if self._are_visited():
            return LASTS
        alone = not (self._brief or self._standing_by) and all(map(self._is_told, queues))
        return max(LONG if alone else BRIEF, 2 * self._together(queues))

    def _are_visited(self) -> bool:
        """Whether the visits of this process' worker renew its claims, and show which seats are free: it need not ask
        by itself."""
        return not self._brief and is_many(len(self._queues()))

    def seen(self, seats: Mapping[str, int]) -> None:
        """A visit has seen that the worker has these seats, -1 where a better one is free than it has, if any."""
        for queue, seat in seats.items():
            if queue in self._held and seat != self._held[queue]:
                self._at[queue] = monotonic()
                self._woken.set()

    def _is_told(self, queue: str) -> bool:
        channels = self._store.signals.of(queue)
        return bool(self._held.get(queue)) and channels.hears(self._store.keys(queue).signals)

    @staticmethod
    def _together(queues: Sequence[str]) -> float:
        """Seconds in which one look at a queue's seats is enough, of all who stand by."""
        return max(STAND_BY[0], len(queues) / QUEUES_A_SECOND)

    def _look_again(self, queue: str, *, another: bool, together: float) -> float:
        """Seconds until this one, who stands by, looks again: less often where others do so, whatever their number."""
        pace = self._paces.get(queue, together)
        pace = min(2 * pace, max(STAND_BY[1], 2 * together)) if another else max(pace / 2, together)
        self._paces[queue] = pace
        return pace * random.uniform(0.75, 1.25)  # noqa: S311  # so that they do not look at once

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is not None and message.startswith(NEWS):
            self._at[queue] = monotonic()
            self._woken.set()

    async def close(self) -> None:
        """Give the seats up, so that others need not wait for the end of the claims, and drop the connection."""
        self._listen(())
        held = list({*self.watched(), *self._asked})
        self._held.clear()
        with contextlib.suppress(Unavailable, TimeoutError):  # they end by themselves
            async with asyncio.timeout(1.0):
                if held and self._links.generation:  # another duty's end may have cost the connection
                    await self._store.seats.vacate(self._links, held, self._who)
        await super().close()
