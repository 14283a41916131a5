"""How a program of ours begins and ends: its loop and its signals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

T = TypeVar("T")

LEFT_BEHIND: Final = 2.0
"""Seconds that the remaining tasks may take to end once cancelled: well-behaved ones need none."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Those that ask a program to end: the first for an orderly end, the second for one at once."""
_STANDARD_ERROR: Final = 2
"""The last of the three standard file descriptors."""

log = logging.getLogger("streamq.runtime")

try:
    from uvloop import new_event_loop
except ImportError:  # not on every platform
    from asyncio import new_event_loop  # type: ignore[assignment]


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on uvloop where it exists.

    A handler that still runs then, in its thread or as a task that swallows its cancellation, is left behind: its job
    was given back, and waiting for it could take for ever.
    """
    _hold_standard_streams()
    runner = asyncio.Runner(loop_factory=new_event_loop)
    try:
        result = _run(runner, main)
    finally:
        if _tasks_end(runner.get_loop()):
            runner.close()  # which waits for every task without a bound
    if any(thread.name.startswith("streamq handler") for thread in threading.enumerate()):
        logging.shutdown()
        os._exit(0)
    return result


def _hold_standard_streams() -> None:
    """Open on ``/dev/null`` what was closed of the three standard streams when we were started (``>&-``).

    Otherwise the next files that are opened get their descriptors: uvloop ends the process when it closes one of them,
    and what a library writes to standard error would be sent to the server.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        os.set_inheritable(number, True)
    os.close(number)


def _tasks_end(loop: asyncio.AbstractEventLoop) -> bool:
    """Cancel the tasks that are left; whether all of them have ended within ``LEFT_BEHIND`` seconds."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        with contextlib.suppress(*_STRAY):
            loop.run_until_complete(asyncio.wait(left, timeout=LEFT_BEHIND))
    stubborn = sum(not task.done() for task in left)
    if stubborn:
        log.warning("%d tasks do not end when cancelled and are left behind", stubborn)
    return not stubborn


def _run(runner: asyncio.Runner, main: Coroutine[Any, Any, T]) -> T:
    """Run it. A ``sys.exit()`` in a task that a handler started does not end a role.

    asyncio raises it in that task and in the caller that runs the loop. Where signals are handled in the loop it can
    have no other source, and the loop goes on, as it does when a handler has stopped it.
    """
    held: list[asyncio.Task[T]] = []

    async def hold() -> T:
        held.append(asyncio.current_task())  # type: ignore[arg-type]  # we are one
        return await main

    try:
        return runner.run(hold())
    except _STRAY as error:
        if not _is_stray(held, error):
            raise
    while True:
        try:
            return runner.get_loop().run_until_complete(held[0])
        except _STRAY as error:
            if not _is_stray(held, error):
                raise


_STRAY: Final = (KeyboardInterrupt, SystemExit, RuntimeError)
"""``RuntimeError`` is raised by a loop that was stopped before its end."""


def _is_stray(held: list[asyncio.Task[Any]], error: BaseException) -> bool:
    in_the_loop = signal.getsignal(signal.SIGINT) not in (signal.default_int_handler, signal.SIG_DFL)
    if not held or held[0].done() or not in_the_loop:
        return False
    log.error("a handler's own task would have ended this process (%r); it goes on", error)
    return True


class Stop:
    """What the next signal does: ``ask``, which may be set to something better later on."""

    def __init__(self, ask: Callable[[], object] | None) -> None:
        self._task = asyncio.current_task()
        self.ask = ask or self._cancel
        self.cancelled = False

    def _cancel(self) -> None:
        self.cancelled = True
        if self._task is not None:
            self._task.cancel()


@contextlib.contextmanager
def stoppable(ask: Callable[[], object] | None = None) -> Iterator[Stop]:
    """Call ``ask`` at each SIGTERM, SIGINT and SIGHUP that comes in the block; by default they end the block.

    A terminal that closes sends SIGHUP; where it was ignored when we started (``nohup``) it stays so.
    """
    loop, stop = asyncio.get_running_loop(), Stop(ask)
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
            raise  # a cancellation that no signal asked for
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


async def on_end_of_input(stop: Callable[[], None]) -> None:
    """Call ``stop`` when standard input ends: whoever started us holds its other end, and is gone then."""

    class Watch(asyncio.Protocol):
        def connection_lost(self, _exc: Exception | None) -> None:
            log.info("standard input has ended, and with it whoever started us: stopping")
            stop()

    await asyncio.get_running_loop().connect_read_pipe(Watch, sys.stdin)
