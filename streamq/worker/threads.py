"""Plain handlers in threads: as many as the worker has slots, so that no call queues for one.

The end of a call reaches the loop as a value, whatever it is. A future cannot do that: it refuses StopIteration, and
raises KeyboardInterrupt and SystemExit in the caller that runs the loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

End = Callable[[Any, BaseException | None], None]
"""Takes what a call returned, or what it raised."""


class Threads:
    """At most ``count`` threads; none is started before the first call."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self._loop, self._count = loop, count
        self._pool: ThreadPoolExecutor | None = None

    def start(self, call: Callable[[], Any], end: End) -> None:
        """Run ``call`` in a thread, in a copy of the present context, and then ``end`` in the loop.

        Raises ``RuntimeError`` when the system gives no thread; the call is not made then.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, "streamq handler")
        made = _Call(self._loop, contextvars.copy_context(), call, end)
        try:
            self._pool.submit(made.run)
        except BaseException:
            made.wanted = False  # the executor has queued it before it failed
            raise

    def close(self) -> None:
        """End the threads without waiting; one that still runs a handler ends after it."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


class _Call:
    """One call on its way through a thread."""

    __slots__ = ("_call", "_context", "_end", "_loop", "wanted")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        call: Callable[[], Any],
        end: End,
    ) -> None:
        self._loop, self._context, self._call, self._end = loop, context, call, end
        self.wanted = True

    def run(self) -> None:
        if not self.wanted:
            return
        result: Any = None
        raised: BaseException | None = None
        try:
            result = self._context.run(self._call)
        except BaseException as error:  # the loop judges it, whatever it is
            raised = error
        try:
            self._loop.call_soon_threadsafe(self._end, result, raised)
        except RuntimeError:  # the loop is closed: its worker gave the job back, and ended
            return
        finally:
            raised = None  # its traceback refers to this frame: break the cycle
