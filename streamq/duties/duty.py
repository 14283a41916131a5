"""A duty: something done again and again. ``once()`` does the work; the one loop below only ticks.

Duties work on many queues; what goes wrong in one of them is kept there by ``Troubles``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from streamq.duties.trouble import Troubles
from streamq.errors import Unavailable
from streamq.model.clock import monotonic

log = logging.getLogger("streamq.duty")

TROUBLE: Final = (0.1, 5.0)
"""Seconds to wait after a failed turn: at first, and at most."""


class Duty(Protocol):
    """One turn, and how long to rest after it."""

    name: str

    async def once(self) -> int:
        """Do the work that is there; returns how much it was."""

    async def rest(self) -> None:
        """Return when the next turn is due."""

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


async def pause(seconds: float, woken: asyncio.Event) -> None:
    """Return after ``seconds``, or earlier when ``woken`` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await woken.wait()


class Rounds:
    """A duty that does ``act`` for each of ``queues()`` every so many seconds, and at once for one that is new."""

    def __init__(
        self,
        name: str,
        queues: Callable[[], Sequence[str]],
        act: Callable[[str], Awaitable[int]],
        every: float,
    ) -> None:
        self.name, self._queues, self._act, self._every = name, queues, act, every
        self._troubles = Troubles(f"be the {name} of", log)
        self._at: dict[str, float] = {}
        self._rested = False
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """The queues may have changed."""
        self._woken.set()

    async def once(self) -> int:
        """One round over the queues that are due; over all of them when it is not the loop that calls."""
        self._woken.clear()
        now, queues = monotonic(), list(self._queues())
        due = [queue for queue in queues if self._at.get(queue, now) <= now] if self._rested else queues
        self._rested = False
        done = await self._troubles.each(due, self._act)
        self._at = {
            queue: at for queue, at in self._at.items() if at > now
        }  # also of those lost: they may return
        self._at |= {queue: monotonic() + self._every for queue in self._troubles.rested(due)}
        return done

    async def rest(self) -> None:
        """Until a queue is due, or the queues change."""
        self._rested = True
        now = monotonic()
        due = [self._at.get(queue, now) for queue in self._troubles.rested(self._queues())]
        soonest = min([now + self._every, now + self._troubles.until_next(), *due])
        await pause(soonest - now, self._woken)

    async def close(self) -> None:
        """Nothing to let go of."""
