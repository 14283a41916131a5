"""Duty: take part in the upkeep of each queue. What all could do, two do, so its cost does not grow with their number.

Seat 1, the chief, does everything: it promotes, recovers, prunes and audits. Seat 2, the deputy, watches for lost
workers as well, and promotes what the chief leaves lying. The others stand by. A seat is a claim that expires; its
holder renews it, and hears at once of who comes. It is no lock: every script is atomic, so two chiefs at once do the
same work and no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from streamq.clock import monotonic
from streamq.connection import Link
from streamq.errors import Rejected, StreamqError, Unavailable
from streamq.store import Store
from streamq.worker.duty import pause
from streamq.worker.reclaimer import GRACE
from streamq.worker.trouble import Troubles, concerns_all

log = logging.getLogger("streamq.seats")

CHIEF: Final = 1
DEPUTY: Final = 2
WATCHER: Final = 3
"""For a process that only recovers: it must not keep anybody from promoting."""

BRIEF: Final = 2.0
"""Seconds a claim lasts while others stand by, who would take over."""
LONG: Final = 30.0
"""Seconds it lasts while nobody does: who comes then looks whether the holders live."""
QUEUES_A_SECOND: Final = 50
"""Claims a process renews in a second, about: one with many queues claims each for longer."""
STAND_BY: Final = (1.0, 10.0)
"""Seconds between two looks of those who stand by, together; and of each of them at most."""
SCHEDULER: Final = "scheduler-"
"""How the name begins under which a process without a worker claims."""
NEWS: Final = b"upkeep"
"""The word of the signal that tells of a seat taken, or of one more who stands by."""


class Seats:
    """The seats of this process, ``who``, in the upkeep of the queues that ``queues()`` names.

    ``brief`` claims are for one whose end nobody sees by its connections: it is on no list of workers. ``told`` is
    called when the seats or the number of workers have changed.
    """

    name = "upkeep"

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], who: str, *, seats: Sequence[int] = (CHIEF, DEPUTY),
        brief: bool = False,
    ) -> None:  # fmt: skip
        self._store, self._queues, self._who, self._seats, self._brief = store, queues, who, seats, brief
        self._link = Link(store.servers)
        self._troubles = Troubles("share the upkeep of", log)
        self._held: dict[str, int] = {}
        self._workers: dict[str, int] = {}
        self._at: dict[str, float] = {}
        self._woken = asyncio.Event()
        self._listening: dict[str, Callable[[], None]] = {}
        self._told: list[Callable[[], None]] = []

    # -- for the duties -------------------------------------------------------------------------------------

    def chief(self) -> list[str]:
        """The queues of which this process does all the upkeep."""
        return [queue for queue, seat in self._held.items() if seat == CHIEF]

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

    def wake(self) -> None:
        """Claim now: a holder is lost."""
        self._at.clear()
        self._woken.set()

    # -- the duty -------------------------------------------------------------------------------------------

    async def once(self) -> int:
        """Claim and renew what is due. Returns in how many queues something has changed."""
        self._woken.clear()
        now, queues = monotonic(), self._queues()
        due = [queue for queue in self._troubles.rested(queues) if self._at.get(queue, now) <= now]
        lasts = self._lasts(queues)
        changed = 0
        if due:
            fresh = {queue: queue not in self._held for queue in due}
            replies = await self._store.roster.claim(self._link, fresh, self._who, self._seats, lasts)
            changed = sum(self._answered(queue, reply, lasts) for queue, reply in replies.items())
            if outside := [queue for queue, first in fresh.items() if first and self._held.get(queue) == 0]:
                await self._dismiss_the_dead(outside)
        for gone in set(self._held) - set(queues):
            del self._held[gone]
        self._listen(self.watched())
        if changed:
            for told in self._told:
                told()
        return changed

    def _answered(self, queue: str, reply: tuple[int, int] | StreamqError, lasts: float) -> bool:
        before = self._held.get(queue), self._workers.get(queue)
        if isinstance(reply, StreamqError):
            if concerns_all(reply):
                raise reply
            self._troubles.met({queue: reply})
            # without claims everybody does the upkeep: dear, but nothing is left undone
            self._held[queue] = self._seats[0]
            self._workers.pop(queue, None)
            return before[0] != self._seats[0]
        self._troubles.over(queue)
        self._held[queue], self._workers[queue] = reply
        self._at[queue] = monotonic() + (lasts / 2 if reply[0] else self._look_again(queue))
        return before != reply

    async def _dismiss_the_dead(self, queues: Sequence[str]) -> None:
        """All workers may have been killed at once, and their claims may last: who comes after them looks."""
        with contextlib.suppress(Rejected):  # may not list the clients: then the claims end by themselves
            holders = await self._store.roster.holders(self._link, queues)
            await asyncio.sleep(GRACE)  # a living one that has lost its connection makes another
            names = await self._store.roster.client_names(self._link)
            # a scheduler's connections do not bear the name of its claims, which are brief
            for dead in (who for who in holders - names if not who.startswith(SCHEDULER)):
                await self._store.roster.vacate(self._link, queues, dead)
                self.wake()

    def _lasts(self, queues: Sequence[str]) -> float:
        """How long a claim lasts."""
        standing_by = self._brief or any(self._workers.get(queue, 0) > len(self._seats) for queue in queues)
        return max(BRIEF if standing_by else LONG, 2 * len(queues) / QUEUES_A_SECOND)

    def _look_again(self, queue: str) -> float:
        """Seconds until one who stands by looks again: all of them together look about once a second."""
        together, most = STAND_BY
        even = together * max(1, self._workers.get(queue, 0) - len(self._seats))
        return min(most, even) * random.uniform(0.75, 1.25)  # noqa: S311  # so that they do not look at once

    def _listen(self, queues: Sequence[str]) -> None:
        """Hear of who comes and goes in these queues, and in no others any more."""
        for queue in set(self._listening) - set(queues):
            self._listening.pop(queue)()
        for queue in queues:
            if queue not in self._listening:
                channel = self._store.keys(queue).signals
                self._listening[queue] = self._store.signals.listen(channel, partial(self._hear, queue))

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is not None and message.startswith(NEWS):
            self._at[queue] = monotonic()
            self._woken.set()

    async def rest(self) -> None:
        """Until a claim is to be renewed, or a holder is lost."""
        now = monotonic()
        due = [self._at.get(queue, now) for queue in self._troubles.rested(self._queues())]
        soonest = min([now + LONG / 2, now + self._troubles.until_next(), *due])
        await pause(soonest - now, self._woken)

    async def close(self) -> None:
        """Give the seats up, so that others need not wait for the end of the claims."""
        self._listen(())
        held = self.watched()
        self._held.clear()
        with contextlib.suppress(Unavailable, TimeoutError):  # they end by themselves
            async with asyncio.timeout(1.0):
                if held and self._link.connected:
                    await self._store.roster.vacate(self._link, held, self._who)
        await self._link.close()
