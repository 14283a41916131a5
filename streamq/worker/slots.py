"""The slots of one worker as the fetcher sees them: how many are free, and waiting for that to change."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

TICK: Final = 1.0
"""Seconds after which a wait for a change ends in any case: what has become due meanwhile is not forgotten."""


class Slots:
    """``free()`` counts the free slots, ``idle()`` tells whether nothing runs here."""

    def __init__(self, free: Callable[[], int], idle: Callable[[], bool]) -> None:
        self.free, self.idle = free, idle
        self._changed, self._stopped = asyncio.Event(), asyncio.Event()
        self.changed = self._changed.set
        """To be called when an attempt has ended, or the backlog shrank."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def stopping(self) -> bool:
        """Whether no more jobs are wanted."""
        return self._stopped.is_set()

    def open(self) -> None:
        """Begin to tick. One timer for all waits: a time limit around each would cost more than the wait."""
        self._changed.set()
        self._timer = asyncio.get_running_loop().call_later(TICK, self.open)

    def close(self) -> None:
        """End the ticking."""
        if self._timer is not None:
            self._timer.cancel()

    def stop(self) -> None:
        """No more jobs are wanted: every wait ends."""
        self._stopped.set()
        self._changed.set()

    async def change(self) -> None:
        """Wait for a change since the last call, at most for a tick."""
        await self._changed.wait()
        self._changed.clear()

    async def pause(self, seconds: float) -> None:
        """Wait for so long, or until told to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
