"""A duty: something done again and again. ``once()`` does the work; the one loop below only ticks.

Duties work on many queues; what goes wrong in one of them is kept there by ``Troubles``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from streamq.errors import Unavailable
from streamq.model.clock import monotonic
from streamq.model.pace import EACH, paced
from streamq.redis.links import Links
from streamq.redis.troubles import Troubles
from streamq.store.store import Store

log = logging.getLogger("streamq.duty")

TROUBLE: Final = (0.1, 5.0)
"""Seconds to wait after a failed turn: at first, and at most. A server that restarts is back within the first few."""


class Duty(Protocol):
    """One turn, and how long to rest after it."""

    name: str

    async def once(self) -> int:
        """Do the work that is there; returns how much it was."""

    async def rest(self) -> None:
        """Return when the next turn is due."""

    def wake(self) -> None:
        """Something has changed: the next turn is due."""

    async def close(self) -> None:
        """Let go of what it holds."""


async def tick(duty: Duty) -> None:
    """Take turns until cancelled. A turn that fails is logged once and tried again; it never ends the loop."""
    pause = 0.0
    try:
        while True:
            try:
                await duty.once()
                if pause:
                    log.info("%s works again", duty.name)
                pause = 0.0
                await duty.rest()
            except Exception as error:  # what comes from the server or the network ends no loop
                _failed(duty.name, error, first=not pause)
                pause = min(TROUBLE[1], 2 * pause or TROUBLE[0])
                await asyncio.sleep(pause)
    finally:
        await duty.close()


def _failed(who: str, error: Exception, *, first: bool) -> None:
    level = logging.WARNING if first else logging.DEBUG
    expected = isinstance(error, Unavailable)
    log.log(level, "%s: %s; trying again", who, str(error) or type(error).__name__, exc_info=not expected)


class Wakeable:
    """What the duties have in common: a rest that ends when they are woken, and a connection.

    Those of one process are given one for all, ``links``, which another closes: their calls are short.
    """

    def __init__(self, name: str, store: Store, links: Links | None = None) -> None:
        self.name, self._store, self._links = name, store, links or store.links()
        self._own_links = links is None
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something has changed: the next turn is due."""
        self._woken.set()

    async def _pause(self, seconds: float) -> None:
        """Return after ``seconds``, or earlier when woken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._woken.wait()

    async def close(self) -> None:
        """Drop the connection, where it is its own."""
        if self._own_links:
            await self._links.close()


class ByQueue(Wakeable):
    """A duty in which each of ``queues()`` is due at a time of its own, at most ``longest`` seconds from now.

    A queue that is new is due at once. What goes wrong in a queue is told as ``cannot <act> <queue>``.
    """

    def __init__(
        self, name: str, store: Store, queues: Callable[[], Sequence[str]], *, longest: float, act: str,
        links: Links | None = None,
    ) -> None:  # fmt: skip
        super().__init__(name, store, links)
        self._queues, self._longest = queues, longest
        self._troubles = Troubles(act, logging.getLogger(f"streamq.{name}"))
        self._at: dict[str, float] = {}
        self._listening: dict[str, Callable[[], None]] = {}
        self._rested = False
        """Whether it is the loop that calls for a turn: else all queues have one."""

    def _listen(self, queues: Sequence[str]) -> None:
        """Hear the signals of these queues, in ``_hear``, and of no others any more."""
        channels = {queue: self._store.keys(queue).signals for queue in queues}
        self._store.signals.listen_only(self._listening, channels, self._hear)

    def _hear(self, queue: str, message: bytes | None) -> None:
        """A signal of the queue; ``None`` when some may have been lost."""

    async def close(self) -> None:
        """End the listening, and drop the connection."""
        self._listen(())
        await super().close()

    async def rest(self) -> None:
        """Until a queue is due, or something has changed."""
        self._rested = True
        now = monotonic()
        due = [self._at.get(queue, now) for queue in self._troubles.rested(self._queues())]
        await self._pause(min([now + self._longest, now + self._troubles.until_next(), *due]) - now)


class Rounds(ByQueue, ABC):
    """A duty that does the same for each queue every so many seconds: ``see_to``; of many queues, ``each`` seconds
    after the one before."""

    each: float = EACH
    _found: frozenset[str] = frozenset()
    """The queues in which there was something to do the last time: they are looked at again soon, however many."""

    @abstractmethod
    async def see_to(self, queue: str) -> int:
        """Do it for one queue. Returns how much there was to do."""

    async def once(self) -> int:
        """One round over the queues that are due."""
        self._woken.clear()
        now, queues = monotonic(), list(self._queues())
        due = [queue for queue in queues if self._at.get(queue, now) <= now] if self._rested else queues
        self._rested = False
        done = await self._troubles.each(due, self._look, self._store.servers.of)
        # also of those that are not ours at the moment: they may return
        self._at = {queue: at for queue, at in self._at.items() if at > now}
        longest = paced(self._longest, len(queues), self.each)
        self._at |= {
            queue: monotonic() + (self._longest if queue in self._found else longest)
            for queue in self._troubles.rested(due)
        }
        return done

    async def _look(self, queue: str) -> int:
        done = await self.see_to(queue)
        self._found = self._found | {queue} if done else self._found - {queue}
        return done
