"""What SIGTERM, SIGINT and SIGHUP do: the first asks for an orderly end, the second for one at once.

A terminal that closes sends SIGHUP; where it was ignored when the process started (``nohup``) it stays so.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

log = logging.getLogger("streamq.runtime")

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stop:
    """What the next signal does: cancel the task, until ``ask`` is set to something better."""

    def __init__(self, task: asyncio.Task[object] | None) -> None:
        self._task = task
        self.ask: Callable[[], object] = self._cancel
        self.cancelled = False

    def _cancel(self) -> None:
        self.cancelled = True
        if self._task is not None:
            self._task.cancel()


@contextmanager
def stoppable() -> Iterator[Stop]:
    """End the block at a signal, and go on behind it."""
    loop, stop = asyncio.get_running_loop(), Stop(asyncio.current_task())
    heard = [n for n in SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]

    def at(number: signal.Signals) -> None:
        log.info("%s: stopping", number.name)
        stop.ask()

    for number in heard:
        loop.add_signal_handler(number, at, number)
    try:
        yield stop
    except asyncio.CancelledError:
        if not stop.cancelled:
            raise  # somebody else's
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
