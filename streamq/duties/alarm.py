"""An alarm that rings at a moment, to some hundredths of a millisecond where the system is Linux.

The timers of the event loops count whole milliseconds. A timer of the kernel is a file that becomes readable, and the
loop reads files at once. Elsewhere, or without its functions, the loop's own timer has to do.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from streamq.duties.duty import ByQueue
from streamq.model.clock import monotonic

ABSOLUTE: Final = 1
"""TFD_TIMER_ABSTIME: the moment is by the clock, not from now."""
SECOND: Final = 1_000_000_000
"""In nanoseconds."""


class Alarm:
    """Calls ``ring`` at the moment last given to ``set``, by ``monotonic``; at most once for each."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._file = _open()
        if self._file >= 0:
            self._loop.add_reader(self._file, self._read)

    def set(self, at: float) -> None:
        """Ring then, and not when it was to ring before."""
        if self._file >= 0:
            moment = max(1, int(at * SECOND))  # 0 would mean never
            spec = (ctypes.c_long * 4)(0, 0, *divmod(moment, SECOND))
            _libc.timerfd_settime(self._file, ABSOLUTE, spec, None)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(at - monotonic(), self._ring)

    def _read(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:  # it was set anew meanwhile
            return
        self._ring()

    def close(self) -> None:
        """Never ring again."""
        if self._timer is not None:
            self._timer.cancel()
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1


_libc: Final[Any] = ctypes.CDLL(None) if sys.platform == "linux" else None


def _open() -> int:
    """The kernel's timer; -1 where there is none."""
    create = getattr(_libc, "timerfd_create", None)
    return create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC) if create else -1


class Punctual(ByQueue):
    """A duty that rests on an alarm of its own: the loop's timers, and the server's time-outs, are not exact enough."""

    _alarm: Alarm | None = None

    async def _pause(self, seconds: float) -> None:
        """As long as the alarm says, to the fraction of a millisecond."""
        if self._alarm is None:
            self._alarm = Alarm(self._woken.set)
        self._alarm.set(monotonic() + seconds)
        await self._woken.wait()

    async def close(self) -> None:
        """Give the alarm back, too."""
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
        await super().close()
