"""The runner: one attempt at one job, from its delivery to its outcome."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import random
import sys
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from streamq import codec
from streamq.app import App
from streamq.clock import ServerClock, monotonic
from streamq.envelope import Delivery, Headers, pack_headers, parked, record, with_error
from streamq.errors import Snooze, UnknownTask, Verdict
from streamq.retry import Again, TimeLimit, judge
from streamq.task import Context, Task
from streamq.worker.settler import Settler

log = logging.getLogger("streamq.runner")

MESSAGE: Final = 2_000
"""Characters kept of an error's message."""
TRACEBACK: Final = 4_000
"""Characters kept of the end of its trace back."""
STRAY_DELAY: Final = 2.0
"""Seconds until a job whose task this worker does not know is offered again."""


class Attempt:
    """A job being run: its delivery, its asyncio task, and why that was cancelled, if it was."""

    __slots__ = ("delivery", "handle", "interrupted", "late", "started")

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.started = monotonic()
        self.late = False
        self.interrupted = False
        self.handle: asyncio.Task[None] | None = None


class Runner:
    """Runs deliveries, each in a task of its own, and puts their outcomes to the settler.

    ``on_end`` is called after each attempt. ``running`` holds the attempts under way.
    """

    def __init__(
        self, app: App, settler: Settler, clock: ServerClock, worker: str, on_end: Callable[[], None]
    ) -> None:
        self._app, self._settler, self._clock, self._worker = app, settler, clock, worker
        self._name = worker.encode()
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._threads: ThreadPoolExecutor | None = None
        self.running: set[Attempt] = set()
        self.stopping = False
        self.given_back: list[Delivery] = []
        """Interrupted by a shutdown; the worker releases them."""

    def start(self, delivery: Delivery) -> None:
        """Begin an attempt."""
        task = self._app.tasks.get(delivery.task)
        if task is None:
            self._stray(delivery)
            return
        attempt = Attempt(delivery)
        self.running.add(attempt)
        attempt.handle = _begin(self._run(attempt, task), self._loop)

    async def _run(self, attempt: Attempt, task: Task[Any, Any]) -> None:
        delivery = attempt.delivery
        limit = delivery.headers.get("timeout") or task.timeout
        timer = self._loop.call_later(limit, self._expire, attempt)
        try:
            try:
                arguments = self._arguments(delivery, task)
                if task.is_async:
                    result = await task.handler(**arguments)
                else:
                    result = await self._in_thread(partial(task.handler, **arguments))
                    if isawaitable(result):  # a lambda, or a wrapper, over a coroutine
                        result = await result
            finally:
                timer.cancel()
            self._completed(attempt, task, result)
        except asyncio.CancelledError as error:
            if attempt.late:
                self._failed(attempt, task, TimeLimit(limit))
            elif attempt.interrupted:
                self.given_back.append(delivery)
            else:  # the handler let a cancellation of its own out
                self._failed(attempt, task, error)
        except KeyboardInterrupt:
            self.given_back.append(delivery)
            raise
        except BaseException as error:
            self._failed(attempt, task, error)
        finally:
            self.running.discard(attempt)
            self._on_end()

    def _arguments(self, delivery: Delivery, task: Task[Any, Any]) -> dict[str, Any]:
        arguments = task.bind(task.decode(delivery.payload))
        if task.context_name is not None:
            arguments[task.context_name] = self._context(delivery, task)
        return arguments

    def _context(self, delivery: Delivery, task: Task[Any, Any]) -> Context:
        return Context(
            app=self._app, queue=delivery.queue, task=task.name, job_id=delivery.job_id,
            attempt=delivery.headers.get("attempt", 0) + 1, attempts=_attempts(delivery.headers, task),
            worker=self._worker, _stopping=lambda: self.stopping,
        )  # fmt: skip

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        """A plain handler in a thread. It cannot be interrupted, so its slot stays taken until it ends."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._app.settings.concurrency, "streamq handler")
        ended = self._loop.run_in_executor(self._threads, contextvars.copy_context().run, call)
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            await asyncio.wait([ended])
            ended.exception()
            raise

    @staticmethod
    def _expire(attempt: Attempt) -> None:
        attempt.late = True
        if attempt.handle is not None:
            attempt.handle.cancel()

    def interrupt(self) -> None:
        """Cancel all that runs; it is given back."""
        for attempt in self.running:
            attempt.interrupted = True
            if attempt.handle is not None:
                attempt.handle.cancel()

    def close(self) -> None:
        """Let the threads go."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    # -- outcomes -------------------------------------------------------------------------------------------

    def _completed(self, attempt: Attempt, task: Task[Any, Any], result: Any) -> None:
        delivery = attempt.delivery
        outcome = task.encode_result(result)
        took = int((monotonic() - attempt.started) * 1000)
        body = record(b"c", delivery, self._clock.now(), took, self._name, delivery.raw_headers, outcome)
        self._settler.put(delivery, "c", body)

    def _failed(self, attempt: Attempt, task: Task[Any, Any], error: BaseException) -> None:
        delivery = attempt.delivery
        spent = delivery.headers.get("attempt", 0) + 1
        judgement = judge(
            error, attempt=spent, attempts=_attempts(delivery.headers, task), backoff=task.backoff,
            chance=random.random(),  # noqa: S311  # jitter, not a secret
        )  # fmt: skip
        if isinstance(error, Snooze) and isinstance(judgement, Again):
            self._delay(delivery, delivery.headers, judgement.seconds)
            return
        described = self._describe(error, attempt, spent)
        headers: Headers = {**with_error(delivery.headers, described), "attempt": spent}
        if isinstance(judgement, Again):
            self._delay(delivery, headers, judgement.seconds)
        else:
            log.info(
                "job %s of %s failed for good: %s: %s",
                delivery.job_id,
                task.name,
                described["type"],
                described["message"],
            )
            self._bury(delivery, headers, described, monotonic() - attempt.started)

    def _stray(self, delivery: Delivery) -> None:
        """A task nobody taught us: once back for another worker, then it fails with the reason."""
        headers = delivery.headers
        if not headers.get("strayed"):
            self._delay(delivery, {**headers, "strayed": 1}, STRAY_DELAY)
            return
        error = UnknownTask(delivery.task, tuple(self._app.tasks))
        attempt = Attempt(delivery)
        described = self._describe(error, attempt, headers.get("attempt", 0))
        log.error("job %s on %s: %s", delivery.job_id, delivery.queue, error)
        self._bury(delivery, with_error(headers, described), described, 0.0)

    def _delay(self, delivery: Delivery, headers: Headers, seconds: float) -> None:
        named: Headers = {**headers, "id": delivery.job_id}
        envelope = parked(delivery.task, pack_headers(named), delivery.payload)
        self._settler.put(delivery, "d", b"%d\n%b" % (round(seconds * 1000), envelope))

    def _bury(self, delivery: Delivery, headers: Headers, error: dict[str, Any], seconds: float) -> None:
        took = int(seconds * 1000)
        now, outcome = self._clock.now(), codec.dumps(error)
        body = record(b"f", delivery, now, took, self._name, pack_headers(headers), outcome)
        self._settler.put(delivery, "f", body)

    def _describe(self, error: BaseException, attempt: Attempt, number: int) -> dict[str, Any]:
        now = self._clock.now()
        trace = "" if isinstance(error, Verdict | TimeLimit | UnknownTask) else _trace(error)
        return {
            "type": type(error).__name__, "message": _text(error)[:MESSAGE], "traceback": trace[-TRACEBACK:],
            "worker": self._worker, "attempt": number,
            "started_at": now - int((monotonic() - attempt.started) * 1000), "finished_at": now,
        }  # fmt: skip


if sys.version_info >= (3, 12):

    def _begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """A task that runs up to its first wait at once: a handler that never waits costs no turn of the loop."""
        return asyncio.Task(attempt, loop=loop, eager_start=True)

else:

    def _begin(attempt: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        """A task; it begins in the next turn of the loop."""
        return loop.create_task(attempt)


def _trace(error: BaseException) -> str:
    """The trace back from the handler on: our own frames above it help nobody."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == __file__:
        frame = frame.tb_next
    return _encodable("".join(traceback.format_exception(type(error), error, frame)))


def _text(error: BaseException) -> str:
    try:
        return _encodable(str(error))
    except Exception as unprintable:  # a handler's own class: an outcome is written all the same
        return f"(its text cannot be made: {type(unprintable).__name__})"


def _encodable(text: str) -> str:
    """Without lone surrogates, as the names of files may bring them: they have no place in JSON."""
    return text.encode("utf-8", "replace").decode()


def _attempts(headers: Headers, task: Task[Any, Any]) -> int:
    return headers.get("attempts") or task.attempts
