"""A duty: something done again and again. ``once()`` does the work; the one loop below only ticks."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from streamq.errors import Unavailable

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
    """Take turns until cancelled. A turn that fails is logged and tried again; it never ends the loop."""
    pause = 0.0
    try:
        while True:
            try:
                await duty.once()
                if pause:
                    log.info("%s works again", duty.name)
                pause = 0.0
                await duty.rest()
            except Unavailable as error:
                if not pause:
                    log.warning("%s: %s; trying on", duty.name, error)
                pause = min(TROUBLE[1], 2 * pause or TROUBLE[0])
                await asyncio.sleep(pause)
            except Exception:
                log.exception("%s failed; trying on", duty.name)
                pause = TROUBLE[1]
                await asyncio.sleep(pause)
    finally:
        await duty.close()
