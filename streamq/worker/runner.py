"""The runner: one attempt at one job, from its delivery to its outcome.

However a handler ends, its attempt comes by one place, ``_end``, and leaves it with an outcome: whatever is raised by
running, judging, describing or writing is caught there, and the last resort needs nothing that could raise.
"""

from __future__ import annotations

import asyncio
import logging
import random
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from streamq import job_lines
from streamq.context import Context, of_schedule
from streamq.errors import Verdict
from streamq.logs import CURRENT
from streamq.model.clock import monotonic
from streamq.model.envelope import Delivery
from streamq.model.judge import TimeLimit
from streamq.model.lanes import READY
from streamq.model.outcomes import COMPLETED, DELAYED, FAILED
from streamq.program import Program
from streamq.task import Task
from streamq.worker import attempt_lines, outcomes
from streamq.worker.attempt import Attempt
from streamq.worker.calls import in_thread, outcome_of, starter
from streamq.worker.description import describe, frames_of
from streamq.worker.outcomes import Outcome
from streamq.worker.overdue import OverdueHandlers
from streamq.worker.settler import Settler
from streamq.worker.slots import Slots
from streamq.worker.threads import Threads
from streamq.worker.time_limits import TimeLimits

log = logging.getLogger("streamq.runner")

NAMES: Final = 1_000
"""Names of unknown tasks that are told apart in the log: they are anybody's text, so their number has a bound."""


class Runner:
    """Runs deliveries in ``slots``, and puts their outcomes to the settler.

    ``overdue`` are those of the running attempts that were judged already.
    """

    def __init__(self, app: Program, slots: Slots, settler: Settler, worker: str) -> None:
        self._app, self._slots, self._settler, self._worker = app, slots, settler, worker
        self._clock = app.client.store.clock
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(self._loop, slots.count)
        self._limits = TimeLimits(self._loop, self._judge_overdue)
        self._begin = starter(self._loop)
        self.overdue = OverdueHandlers(app.settings.lease)
        self.given_back: list[Delivery] = []
        """Interrupted by a shutdown; the worker releases them."""
        self._unknown_names: set[str] = set()
        self._tells_starts = self._tells_ends = False

    # -- the way of an attempt ------------------------------------------------------------------------------

    def start_each(self, queue: str, lane: int, entries: list[Any]) -> None:
        """Begin an attempt at each of the entries that were read from a queue's lane."""
        if lane == READY:
            self._slots.arrived(queue, entries)
        if entries:
            log.debug("%d jobs of %s arrive", len(entries), queue)
            # asked here, as to ask at each job costs as much as a tenth of its end
            self._tells_starts = job_lines.log.isEnabledFor(logging.DEBUG)
            self._tells_ends = job_lines.log.isEnabledFor(logging.INFO)
        for raw in entries:
            try:
                if raw[1]:  # else it was deleted by hand
                    self.start(Delivery(queue, lane, raw))
            except Exception:  # its neighbours are delivered too; the next audit gives it back
                log.exception("the entry %s of %s could not be started", raw[0], queue)

    def start(self, delivery: Delivery) -> None:
        """Begin an attempt. Never raises: what cannot be begun has failed."""
        task = self._app.tasks.get(delivery.task)
        attempt = Attempt(delivery, task, self._worker)
        self._slots.running.add(attempt)
        if task is None:
            self._end(attempt, None, None)
            return
        if self._tells_starts:
            attempt_lines.say(attempt, attempt_lines.STARTED)
        try:
            if task.is_async:
                handle = self._begin(self._run(attempt, task))
                if not attempt.settled:  # else it has ended already, and needs no limit
                    attempt.handle = handle
                    self._limits.watch(attempt)
            else:
                self._limits.watch(attempt)
                call = partial(task.handler, **self._arguments(attempt, task))
                self._threads.start(partial(in_thread, attempt, call), partial(self._returned, attempt))
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
        attempt.handle = self._loop.create_task(outcome_of(attempt, result))
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
        if attempt.line is not None:
            attempt.line.pop(attempt, None)
        try:
            task = attempt.task
            if error is not None or attempt.settled or task is None:
                self._conclude(attempt, error)
                return
            took = monotonic() - attempt.begun
            body = outcomes.completed(attempt, task, result, took, self._clock.now())
            if not isinstance(body, bytes):
                self._failed(attempt, body)
                return
            self._settler.put(attempt.delivery, COMPLETED, body)
            attempt.settled = True
            if self._tells_ends:
                attempt_lines.say(attempt, attempt_lines.completed(took))
        except BaseException as fault:  # an attempt without an outcome would hold its job for ever
            self._last_resort(attempt, fault)
        finally:
            slots = self._slots
            slots.running.discard(attempt)
            if not slots.has_changed:
                slots.changed()

    def _conclude(self, attempt: Attempt, error: BaseException | None) -> None:
        if attempt.settled:
            self.overdue.returned(attempt)
        elif attempt.task is None:
            self._unknown(attempt)
        elif error is not None:
            self._raised(attempt, error)

    def _raised(self, attempt: Attempt, error: BaseException) -> None:
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
                attempt_lines.say(attempt, attempt_lines.interrupted(attempt.seconds))
                attempt.settled = True
                self.given_back.append(attempt.delivery)
                return
        self._failed(attempt, error)

    # -- outcomes -------------------------------------------------------------------------------------------

    def _failed(self, attempt: Attempt, error: BaseException, *, at_least: float = 0.0) -> Outcome:
        took, now, chance = attempt.seconds, self._clock.now(), random.random()  # noqa: S311  # jitter, no secret
        outcome = outcomes.failed(attempt, error, took, now, chance, at_least=at_least)
        self._put(attempt, outcome)
        return outcome

    def _unknown(self, attempt: Attempt) -> None:
        """Nobody taught this worker the task; the log says so once for each name."""
        patience, name = self._app.settings.unknown_task_for, attempt.delivery.task
        outcome = outcomes.unknown(attempt, self._app.tasks, self._clock.now(), patience)
        told = outcome.kind == FAILED or (
            name not in self._unknown_names and len(self._unknown_names) < NAMES
        )
        if outcome.kind == DELAYED and told:
            self._unknown_names.add(name)
        self._put(attempt, outcome if told else outcome._replace(lines=()))

    def _last_resort(self, attempt: Attempt, fault: BaseException) -> None:
        if attempt.settled:
            attempt_lines.say(attempt, attempt_lines.too_late(fault))
        else:
            self._put(attempt, outcomes.last_resort(attempt, fault, self._clock.now()))

    def _put(self, attempt: Attempt, outcome: Outcome) -> None:
        self._settler.put(attempt.delivery, outcome.kind, outcome.body, outcome.due)
        attempt.settled = True
        for line in outcome.lines:
            attempt_lines.say(attempt, line)

    # -- the call -------------------------------------------------------------------------------------------

    def _arguments(self, attempt: Attempt, task: Task[Any, Any]) -> dict[str, Any]:
        delivery = attempt.delivery
        arguments = task.arguments(delivery.payload)
        if task.context_name is not None:
            arguments[task.context_name] = Context(
                app=self._app, queue=delivery.queue, task=task.name, job_id=delivery.job_id,
                attempt=attempt.number, attempts=attempt.attempts, worker=self._worker,
                _stopping=lambda: self._slots.stopping, **(of_schedule(delivery.headers) if delivery.headers else {}),
            )  # fmt: skip
        return arguments

    # -- past the time limit --------------------------------------------------------------------------------

    def _judge_overdue(self, attempt: Attempt) -> None:
        """The attempt has failed, though its handler runs on. Its slot stays taken, and its retry waits for it."""
        retry_at: float | None = None
        error = TimeLimit(attempt.limit, "its handler still runs")
        try:
            outcome = self._failed(attempt, error, at_least=self.overdue.horizon)
            if outcome.retry_in is not None:
                retry_at = monotonic() + outcome.retry_in
        except BaseException as fault:  # as at any other end
            self._last_resort(attempt, fault)
        self.overdue.add(attempt, retry_at)
        self._slots.changed()

    # -- the shutdown ---------------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Cancel all that runs and can be cancelled; it is given back."""
        for attempt in list(self._slots.running):
            attempt.interrupted = True
            if attempt.handle is not None:
                attempt.handle.cancel()
                if not attempt.begun:  # its coroutine will never run, so nobody else ends it
                    self._end(attempt, None, asyncio.CancelledError())

    def abandon(self) -> list[Delivery]:
        """Wait for no handler any longer. Returns what runs without an outcome; none of it gets one now."""
        left = self._slots.unsettled()
        for attempt in left:
            attempt.settled = True
        return [attempt.delivery for attempt in left]

    def close(self) -> None:
        """Let the threads go."""
        self._threads.close()
