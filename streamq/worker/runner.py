"""The runner: one attempt at one job, from its delivery to its outcome.

However a handler ends, its attempt comes by one place, ``_end``, and leaves it with an outcome: whatever is raised by
running, judging, describing or writing is caught there, and the last resort needs nothing that could raise.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from streamq import job_lines
from streamq.context import Context, dropped, of_schedule
from streamq.logs import CURRENT
from streamq.model.clock import monotonic
from streamq.model.envelope import Delivery
from streamq.model.headers import expires_at
from streamq.model.judge import TimeLimit
from streamq.model.outcomes import COMPLETED, DELAYED, FAILED
from streamq.model.places import queue_of
from streamq.program import Program
from streamq.task import Task
from streamq.unique import STARTED
from streamq.verdicts import Snooze, Verdict
from streamq.worker import attempt_lines, outcomes
from streamq.worker.advice import advice_on
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
        self._slowest = slots.slowest
        self._clock = app.client.store.clock
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(self._loop, slots.count)
        self._limits = TimeLimits(self._loop, self._judge_overdue)
        self._begin = starter(self._loop)
        self.overdue = OverdueHandlers(app.settings.lease)
        self.given_back: list[Delivery] = []
        """Interrupted by a shutdown; the worker releases them."""
        self.when_begun: dict[str, Callable[[Iterable[str]], None]] = {}
        """By id of a job that may be on its way here: whom to tell its queue when it has begun."""
        self._unknown_names: set[tuple[str, int]] = set()
        self._tells_starts = self._tells_ends = False

    # -- the way of an attempt ------------------------------------------------------------------------------

    def start_each(self, queue: str, lane: int, entries: list[Any]) -> None:
        """Begin an attempt at each of the entries that were read from a queue's lane."""
        self._slots.arrived(queue, lane, entries)
        if entries:
            log.debug("%d jobs of %s arrive", len(entries), queue_of(queue))
            # asked here, as to ask at each job costs as much as a tenth of its end
            self._tells_starts = job_lines.log.isEnabledFor(logging.DEBUG)
            self._tells_ends = job_lines.log.isEnabledFor(logging.INFO)
        for raw in entries:
            try:
                if raw[1]:  # else it was deleted by hand
                    self.start(Delivery(queue, lane, raw))
            except Exception:  # its neighbours are delivered too; the next audit gives it back
                log.exception("the entry %s of %s could not be started", raw[0], queue_of(queue))
        if self.when_begun:
            for tell in set(self.when_begun.values()):
                tell((queue,))

    def start(self, delivery: Delivery) -> None:
        """Begin an attempt. Never raises: what cannot be begun has failed."""
        task, told = self._app.tasks.get(delivery.task), delivery.raw_headers  # most jobs tell nothing
        if told and task is not None and task.is_older_than(delivery.headers):
            task = None  # a worker of the newer version runs it
        attempt = Attempt(delivery, task, self._worker)
        self._slots.running.add(attempt)
        if told and "expires" in delivery.headers and self._has_expired(attempt):
            return
        if task is None:
            self._end(attempt, None, None)
            return
        if self._slots.held and (paused := self._paused(delivery, task)):
            self._put(attempt, outcomes.held(attempt, paused))
            self._slots.running.discard(attempt)
            return
        if told and delivery.headers.get("until") == STARTED:
            attempt.handle = self._loop.create_task(self._give_key_up(attempt, task))
            return
        self._call(attempt, task)

    async def _give_key_up(self, attempt: Attempt, task: Task[Any, Any]) -> None:
        """The job's unique key is taken until it starts: it is free before the handler is called."""
        delivery = attempt.delivery
        try:
            key = delivery.headers.get("key", "")
            await self._app.client.store.unique.begin(delivery.queue, key, delivery.job_id)
        except Exception as error:  # the server is away: not the job's fault
            self._end(attempt, None, Snooze(1.0, f"its unique key could not be given up: {error}"))
        else:
            attempt.handle = None
            self._call(attempt, task)

    def _call(self, attempt: Attempt, task: Task[Any, Any]) -> None:
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

    def _paused(self, delivery: Delivery, task: Task[Any, Any]) -> str:
        """The name under which its task is paused in its queue, which may be another than the job has; else empty."""
        now, held = self._clock.now(), self._slots.held
        names = (delivery.task, task.name)
        return next((name for name in names if now < held.get((delivery.queue, name), 0)), "")

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
        if attempt.settled or attempt.interrupted or attempt.told is not None:
            attempt.handle.cancel()

    def _awaited(self, attempt: Attempt, handle: asyncio.Task[Any]) -> None:
        if handle.cancelled():  # before its first step
            self._end(attempt, None, asyncio.CancelledError())
        else:
            self._end(attempt, *handle.result())

    def _end(self, attempt: Attempt, result: Any, error: BaseException | None) -> None:  # noqa: C901  # once a job: a call costs more than a branch
        """The handler has returned or raised: there is an outcome after this, and the slot is free."""
        if attempt.timer is not None:
            attempt.timer.cancel()
        if attempt.line is not None:
            attempt.line.pop(attempt, None)
        try:
            task = attempt.task
            if error is not None or attempt.settled or task is None or attempt.told is not None:
                self._conclude(attempt, error)
                return
            took = monotonic() - attempt.begun
            body = outcomes.completed(attempt, task, result, took, self._clock.now())
            if not isinstance(body, bytes):
                self._failed(attempt, body)
                return
            if attempt.keep_result and self._slots.reporter is not None:
                self._slots.reporter.keep_result(attempt)
            self._settler.put(attempt.delivery, COMPLETED, body)
            attempt.settled = True
            if took > self._slowest.floor:
                self._slowest.note(attempt, "completed", took, self._clock.now())
            if self._tells_ends:
                attempt_lines.say(attempt, attempt_lines.completed(took))
        except BaseException as fault:  # an attempt without an outcome would hold its job for ever
            self._last_resort(attempt, fault)
        finally:
            slots = self._slots
            if attempt.pausing is None:
                slots.running.discard(attempt)
            if not slots.has_changed:
                slots.changed()

    def _conclude(self, attempt: Attempt, error: BaseException | None) -> None:
        if attempt.settled:
            self.overdue.returned(attempt)
        elif attempt.told is not None:  # whatever its handler came to after it was told
            self._cancelled(attempt, attempt.told)
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
        advice = advice_on(attempt, error, partial(self._context, attempt))
        outcome = outcomes.failed(attempt, error, took, now, chance, at_least=at_least, advice=advice)
        if outcome.pause is None or at_least:
            self._put(attempt, outcome)
        else:
            attempt.pausing = self._loop.create_task(self._pause_first(attempt, outcome))
        return outcome

    async def _pause_first(self, attempt: Attempt, outcome: Outcome) -> None:
        """Its group is paused before its slot is free: else the next of the group could be in it."""
        try:
            if outcome.pause is not None:
                await self._settler.pauses.write_one(attempt.delivery, *outcome.pause)
        finally:
            attempt.pausing = None
            if not attempt.settled:
                self._put(attempt, outcome._replace(pause=None))
            self._slots.running.discard(attempt)
            self._slots.changed()

    def _unknown(self, attempt: Attempt) -> None:
        """Nobody taught this worker the task, or this version of it; the log says so once for each."""
        patience, delivery = self._app.settings.unknown_task_for, attempt.delivery
        name = delivery.task, delivery.headers.get("payload_version", 1)
        outcome = outcomes.unknown(attempt, self._app.tasks, self._clock.now(), patience)
        told = outcome.kind == FAILED or (
            name not in self._unknown_names and len(self._unknown_names) < NAMES
        )
        if outcome.kind == DELAYED and told:
            self._unknown_names.add(name)
        self._put(attempt, outcome if told else outcome._replace(lines=()))

    def _cancelled(self, attempt: Attempt, told: bytes) -> None:
        self._put(attempt, outcomes.cancelled(attempt, told, attempt.seconds, self._clock.now()))

    def _has_expired(self, attempt: Attempt) -> bool:
        """Whether its job was to start earlier. Then it ends, and its handler is not called."""
        delivery, now = attempt.delivery, self._clock.now()
        until = expires_at(delivery.headers, delivery.job_id)
        if until is None or now <= until:
            return False
        self._put(attempt, outcomes.expired(attempt, until, now))
        self._slots.running.discard(attempt)
        self._slots.changed()
        return True

    def _last_resort(self, attempt: Attempt, fault: BaseException) -> None:
        if attempt.settled:
            attempt_lines.say(attempt, attempt_lines.too_late(fault))
        else:
            self._put(attempt, outcomes.last_resort(attempt, fault, self._clock.now()))

    def _put(self, attempt: Attempt, outcome: Outcome) -> None:
        if outcome.pause is not None:
            self._settler.pauses.before_outcome(attempt.delivery, *outcome.pause)
        self._settler.put(attempt.delivery, outcome.kind, outcome.body, outcome.due)
        attempt.settled = True
        if outcome.kind == FAILED and attempt.begun and attempt.seconds > self._slowest.floor:
            self._slowest.note(attempt, "failed", attempt.seconds, self._clock.now())
        for line in outcome.lines:
            attempt_lines.say(attempt, line)

    # -- the call -------------------------------------------------------------------------------------------

    def _arguments(self, attempt: Attempt, task: Task[Any, Any]) -> dict[str, Any]:
        arguments = task.arguments(attempt.delivery.payload, attempt.delivery.headers)
        if task.context_name is not None:
            arguments[task.context_name] = self._context(attempt)
        return arguments

    def _context(self, attempt: Attempt) -> Context:
        delivery, task, reporter = attempt.delivery, attempt.task, self._slots.reporter
        queue, job_id = delivery.known_as
        return Context(
            app=self._app, queue=queue, task=task.name if task else delivery.task,
            job_id=job_id, attempt=attempt.number, attempts=attempt.attempts, worker=self._worker,
            _stopping=lambda: self._slots.stopping,
            _cancelled=lambda: attempt.settled or attempt.told is not None,
            _report=dropped if reporter is None else partial(reporter.report, attempt),
            _pause=partial(self._settler.pauses.at_once, delivery), group=delivery.headers.get("group"),
            _waited=lambda: self._before(attempt, delivery.entry.decode("latin-1")),
            _age=lambda: self._before(attempt, delivery.job_id),
            **(of_schedule(delivery.headers) if delivery.headers else {}),
        )  # fmt: skip

    def _before(self, attempt: Attempt, name: str) -> float:
        """Seconds from the time with which an id begins until the handler was called."""
        try:
            since = int(name.partition("-")[0])
        except ValueError:  # another program's id
            return 0.0
        return max(0.0, (self._clock.now() - since) / 1000 - (monotonic() - attempt.begun))

    # -- past the time limit --------------------------------------------------------------------------------

    def _judge_overdue(self, attempt: Attempt) -> None:
        """The attempt has its outcome, though its handler runs on. Its slot stays taken, and its retry waits for it."""
        retry_at: float | None = None
        error = TimeLimit(attempt.limit, "its handler still runs")
        try:
            if attempt.told is not None:
                self._cancelled(attempt, attempt.told)
            else:
                outcome = self._failed(attempt, error, at_least=self.overdue.horizon)
                if outcome.retry_in is not None:
                    retry_at = monotonic() + outcome.retry_in
        except BaseException as fault:  # as at any other end
            self._last_resort(attempt, fault)
        self.overdue.add(attempt, retry_at)
        self._slots.changed()

    # -- on request -----------------------------------------------------------------------------------------

    def cancel(self, attempt: Attempt, told: bytes) -> None:
        """The end of its job is asked for: its handler is told, and it ends as cancelled whatever that does."""
        if attempt.settled or attempt.told is not None:
            return
        attempt.told = told
        attempt_lines.say(attempt, attempt_lines.TOLD)
        self._limits.cut_short(attempt)
        if attempt.handle is not None and not attempt.begun:  # as below
            self._end(attempt, None, asyncio.CancelledError())

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
