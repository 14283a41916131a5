"""The runner: one attempt at one job, from its delivery to its outcome.

However a handler ends, its attempt comes by one place, ``_end``, and leaves it with an outcome: whatever is raised by
running, judging, describing or writing is caught there, and the last resort needs nothing that could raise.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from streamq import job_lines
from streamq.context import Context
from streamq.errors import Verdict
from streamq.logs import CURRENT
from streamq.model.clock import ServerClock, monotonic
from streamq.model.envelope import Delivery
from streamq.model.judge import Again, TimeLimit
from streamq.program import Program
from streamq.task import Task
from streamq.worker import attempt_lines
from streamq.worker.attempt import Attempt
from streamq.worker.description import describe, frames_of
from streamq.worker.outcomes import Outcomes
from streamq.worker.overdue import OverdueHandlers
from streamq.worker.settler import Settler
from streamq.worker.threads import Threads

CANCEL_GRACE: Final = 2.0
"""Seconds an async handler may take to end, once it was cancelled at its time limit."""
EARLY: Final = 0.005
"""Seconds by which a timer may be early: some loops count in milliseconds."""


class Runner:
    """Runs deliveries, at most ``slots`` at once, and puts their outcomes to the settler.

    ``on_end`` is called after each attempt. ``running`` holds those whose handlers have not returned, ``overdue``
    those among them that were judged already.
    """

    def __init__(
        self, app: Program, settler: Settler, clock: ServerClock, worker: str, slots: int, on_end: Callable[[], None]
    ) -> None:  # fmt: skip
        self._app, self._worker, self._on_end = app, worker, on_end
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(self._loop, slots)
        self._outcomes = Outcomes(settler, clock, worker, app.settings.unknown_task_for)
        self.running: set[Attempt] = set()
        self.overdue = OverdueHandlers(app.client.store)
        self.stopping = False
        self.given_back: list[Delivery] = []
        """Interrupted by a shutdown; the worker releases them."""
        self._idle: asyncio.Event | None = None
        self._tells_starts = job_lines.log.isEnabledFor(logging.DEBUG)

    # -- the way of an attempt ------------------------------------------------------------------------------

    def start(self, delivery: Delivery) -> None:
        """Begin an attempt. Never raises: what cannot be begun has failed."""
        task = self._app.tasks.get(delivery.task)
        attempt = Attempt(delivery, task, self._worker)
        self.running.add(attempt)
        if task is None:
            self._end(attempt, None, None)
            return
        if self._tells_starts:
            attempt_lines.started(attempt)
        try:
            attempt.timer = self._loop.call_later(attempt.limit, self._expire, attempt)
            if task.is_async:
                handle = _begin(self._run(attempt, task), self._loop)
                if not attempt.settled:  # else it has ended already
                    attempt.handle = handle
            else:
                call = partial(task.handler, **self._arguments(attempt, task))
                self._threads.start(partial(_in_thread, attempt, call), partial(self._returned, attempt))
        except BaseException as error:  # a validator of the program's own, or no thread to be had
            self._end(attempt, None, error)

    async def _run(self, attempt: Attempt, task: Task[Any, Any]) -> None:
        result: Any = None
        error: BaseException | None = None
        CURRENT.set(attempt)
        attempt.begun = monotonic()
        try:
            result = await task.handler(**self._arguments(attempt, task))
        except BaseException as raised:  # cancellation too: its reason is known to the attempt
            error = raised
        self._end(attempt, result, error)
        attempt.handle = None  # which refers to this context, which refers to the attempt
        error = None  # it refers to this frame, which would refer to it

    def _returned(self, attempt: Attempt, result: Any, error: BaseException | None) -> None:
        """A plain handler's thread is done. What it returned may be a coroutine: of a lambda, or of a wrapper."""
        try:
            waits = error is None and isawaitable(result)
        except BaseException as odd:  # the result's own class was asked
            self._end(attempt, None, odd)
            return
        if not waits:
            self._end(attempt, result, error)
            return
        attempt.handle = self._loop.create_task(_outcome_of(attempt, result))
        attempt.handle.add_done_callback(partial(self._awaited, attempt))
        if attempt.settled or attempt.interrupted:
            attempt.handle.cancel()

    def _awaited(self, attempt: Attempt, handle: asyncio.Task[Any]) -> None:
        if handle.cancelled():  # before its first step
            self._end(attempt, None, asyncio.CancelledError())
        else:
            self._end(attempt, *handle.result())

    def _end(self, attempt: Attempt, result: Any, error: BaseException | None) -> None:
        """The handler has returned or raised: there is an outcome after this, and the slot is free."""
        if attempt.timer is not None:
            attempt.timer.cancel()
        try:
            task = attempt.task
            if error is not None or attempt.settled or task is None:
                self._conclude(attempt, error)
            elif (unstorable := self._outcomes.completed(attempt, task, result)) is not None:
                self._outcomes.failed(attempt, unstorable)
        except BaseException as fault:  # an attempt without an outcome would hold its job for ever
            self._outcomes.last_resort(attempt, fault)
        finally:
            self.running.discard(attempt)
            if self._idle is not None:
                self._look_if_idle()
            self._on_end()

    def _conclude(self, attempt: Attempt, error: BaseException | None) -> None:
        if attempt.settled:
            self.overdue.returned(attempt)
        elif attempt.task is None:
            self._outcomes.unknown(attempt, self._app.tasks)
        elif error is not None:
            self._failed(attempt, error)

    def _failed(self, attempt: Attempt, error: BaseException) -> None:
        """It raised. What a handler raises because it was cancelled is not its own fault, whatever it looks like."""
        if attempt.handle is not None and not issubclass(type(error), Verdict):
            if attempt.late:
                said = (
                    ""
                    if issubclass(type(error), asyncio.CancelledError)
                    else str(describe(error, traced=False))
                )
                error = TimeLimit(attempt.limit, said).with_traceback(frames_of(error))
            elif attempt.interrupted:
                attempt_lines.interrupted(attempt)
                attempt.settled = True
                self.given_back.append(attempt.delivery)
                return
        self._outcomes.failed(attempt, error)

    def _arguments(self, attempt: Attempt, task: Task[Any, Any]) -> dict[str, Any]:
        delivery = attempt.delivery
        payload = task.decode(delivery.payload)
        arguments = task.bind(payload) if task.single is None else {task.single: payload}
        if task.context_name is not None:
            arguments[task.context_name] = Context(
                app=self._app, queue=delivery.queue, task=task.name, job_id=delivery.job_id,
                attempt=attempt.number, attempts=attempt.attempts, worker=self._worker,
                _stopping=lambda: self.stopping,
            )  # fmt: skip
        return arguments

    # -- the time limit -------------------------------------------------------------------------------------

    def _expire(self, attempt: Attempt) -> None:
        """Its time is over: a coroutine is cancelled and gets a moment to clean up; a thread cannot be interrupted."""
        if attempt.settled:
            return
        left = attempt.limit - (monotonic() - attempt.begun if attempt.begun else 0.0)
        if left > EARLY:  # it began later than its timer
            attempt.timer = self._loop.call_later(left, self._expire, attempt)
        elif attempt.handle is None:
            self._judge_overdue(attempt)
        elif attempt.late:
            self._judge_overdue(attempt)
            attempt.handle.cancel()  # it swallowed the first one; a second may meet it elsewhere
        else:
            attempt.late = True
            attempt.timer = self._loop.call_later(CANCEL_GRACE, self._expire, attempt)
            attempt.handle.cancel()

    def _judge_overdue(self, attempt: Attempt) -> None:
        """The attempt has failed, though its handler runs on. Its slot stays taken, and its retry waits for it."""
        retry_at: float | None = None
        try:
            judgement = self._outcomes.failed(
                attempt, TimeLimit(attempt.limit, "its handler still runs"), at_least=self.overdue.horizon
            )
            if isinstance(judgement, Again):
                retry_at = monotonic() + judgement.seconds
        except BaseException as fault:  # as at any other end
            self._outcomes.last_resort(attempt, fault)
        self.overdue.add(attempt, retry_at)
        self._look_if_idle()

    # -- the shutdown ---------------------------------------------------------------------------------------

    async def idle(self) -> None:
        """Return when every attempt has its outcome; handlers that are overdue are not waited for."""
        self._idle = asyncio.Event()
        self._look_if_idle()
        await self._idle.wait()

    def _look_if_idle(self) -> None:
        if self._idle is not None and all(attempt.settled for attempt in self.running):
            self._idle.set()

    def interrupt(self) -> None:
        """Cancel all that runs and can be cancelled; it is given back."""
        for attempt in list(self.running):
            attempt.interrupted = True
            if attempt.handle is not None:
                attempt.handle.cancel()
                if not attempt.begun:  # its coroutine will never run, so nobody else ends it
                    self._end(attempt, None, asyncio.CancelledError())

    def abandon(self) -> list[Delivery]:
        """Wait for no handler any longer. Returns what runs without an outcome; none of it gets one now."""
        left = [attempt for attempt in self.running if not attempt.settled]
        for attempt in left:
            attempt.settled = True
        return [attempt.delivery for attempt in left]

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()


async def _outcome_of(attempt: Attempt, awaitable: Awaitable[Any]) -> tuple[Any, BaseException | None]:
    """What an awaitable comes to, as a value."""
    CURRENT.set(attempt)
    try:
        return await awaitable, None
    except BaseException as error:  # judged like that of any other handler
        return None, error
    finally:
        CURRENT.set(None)  # it refers to the task that we are, which refers to its context


def _in_thread(attempt: Attempt, call: Callable[[], Any]) -> Any:
    """The time limit counts from here: not while a call waits for a thread."""
    CURRENT.set(attempt)
    attempt.begun = monotonic()
    return call()


if sys.version_info >= (3, 12):

    def _begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """A task that runs up to its first wait at once: a handler that never waits costs no turn of the loop."""
        return asyncio.Task(attempt, loop=loop, eager_start=True)

else:

    def _begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """A task; it begins in the next turn of the loop."""
        return loop.create_task(attempt)
