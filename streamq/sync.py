"""For threads without an event loop: ``app.sync.enqueue(…)`` in Django, Flask, scripts and plain handlers.

One loop in the background, in a daemon thread that starts when it is first needed, serves all threads and all apps of
the process. An app opens in it with its first call, beside whatever other loops have it open, and stays open until
``app.sync.close()`` or the end of the process. A forked child starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, ParamSpec, Protocol, TypeVar, Unpack, overload

from streamq.client.opening import running_loop
from streamq.durations import Duration
from streamq.errors import OutcomeUnknown, QueueFull, UsageError
from streamq.job import Job
from streamq.model.events import Event
from streamq.model.facts import Explanation
from streamq.model.job_record import JobRecord
from streamq.model.reports import Log
from streamq.model.shown import as_given
from streamq.options import EnqueueOptions, Priority
from streamq.task import Sending, Task
from streamq.unique import Disposition

P = TypeVar("P")
R = TypeVar("R")
T = TypeVar("T")
F = ParamSpec("F")

CLOSING: Final = 2.0
"""Seconds that closing may take when the process ends: a server that is away must not hold up the end."""


@dataclass(frozen=True, slots=True)
class SyncJob(Generic[R]):
    """A handle on an enqueued job, for threads: what ``Job`` is for an event loop."""

    id: str
    queue: str
    task: str
    _job: Job[R] = field(repr=False, compare=False)
    _sync: Sync = field(repr=False, compare=False)

    def result(self, timeout: Duration | None = None) -> R:
        """Wait for the job to end and return what its handler returned; see ``Job.result``."""
        return self._sync.run(lambda: self._job.result(timeout))

    def status(self) -> JobRecord:
        """Everything known of the job now. Raises ``JobNotFound``."""
        return self._sync.run(self._job.status)

    def logs(self) -> Log:
        """What is kept of its log; see ``Job.logs``."""
        return self._sync.run(self._job.logs)

    def watch(self) -> Iterator[Event]:
        """What it tells from now on, until its end; see ``Job.watch``."""

        async def begun() -> AsyncGenerator[Event]:
            return self._job.watch()

        events = self._sync.run(begun)
        try:
            while (event := self._sync.run(lambda: _next(events))) is not None:
                yield event
        finally:
            self._sync.run(events.aclose)

    def why(self) -> Explanation:
        """Why it does not run now; see ``Queue.why``."""
        return self._sync.run(self._job.why)

    @property
    def disposition(self) -> Disposition:
        """How enqueue came to it; see ``Job``."""
        return self._job.disposition

    def cancel(self, reason: str = "", *, by: str = "") -> JobRecord:
        """End it before it begins, or ask for its end while it runs; see ``Job.cancel``."""
        return self._sync.run(lambda: self._job.cancel(reason, by=by))

    def promote(self, *, version: int | None = None) -> JobRecord:
        """Let it wait now, whenever it was due; see ``Job.promote``."""
        return self._sync.run(lambda: self._job.promote(version=version))

    def reschedule(
        self, *, delay: Duration | None = None, at: datetime | None = None, version: int | None = None
    ) -> JobRecord:
        """Give it another due time; see ``Job.reschedule``."""
        return self._sync.run(lambda: self._job.reschedule(delay=delay, at=at, version=version))

    def change_priority(self, priority: Priority, *, version: int | None = None) -> JobRecord:
        """Give it another priority; see ``Job.change_priority``."""
        return self._sync.run(lambda: self._job.change_priority(priority, version=version))

    def edit(self, payload: Any, *, version: int | None = None) -> JobRecord:
        """Give it another payload; see ``Job.edit``."""
        return self._sync.run(lambda: self._job.edit(payload, version=version))

    def retry(self) -> JobRecord:
        """Let it wait again after it failed, was cancelled or has expired; see ``Job.retry``."""
        return self._sync.run(self._job.retry)

    def delete(self) -> None:
        """Delete its record once it has ended; see ``Job.delete``."""
        self._sync.run(self._job.delete)


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)


class Opens(Protocol):
    """The part of an app that this module needs: it opens and closes, and sends by name."""

    async def __aenter__(self) -> object: ...
    async def __aexit__(self, *_: object) -> None: ...
    async def enqueue(
        self, queue: str, task: str, payload: Any = ..., **options: Unpack[EnqueueOptions]
    ) -> Job[Any]: ...
    async def enqueue_many(
        self, queue: str, task: str, payloads: Iterable[Any], **options: Unpack[EnqueueOptions]
    ) -> list[Job[Any]]: ...


class Sends(Protocol[F, R]):
    """What sends a job: a task, or one with its options set."""

    def enqueue(self, *args: F.args, **named: F.kwargs) -> Awaitable[Job[R]]: ...


class Sync:
    """Made by ``app.sync``. Its methods block their thread; any thread that runs no event loop may call them.

    They raise what their asynchronous twins raise, and ``UsageError`` in a thread that runs an event loop.
    """

    def __init__(self, app: Opens) -> None:
        self._app = app
        self._open_in: _Background | None = None

    @overload
    def enqueue(
        self, queue: str, task: str, payload: Any = ..., /, **options: Unpack[EnqueueOptions]
    ) -> SyncJob[Any]: ...
    @overload  # with the parameters of its own enqueue
    def enqueue(self, task: Sends[F, R], /, *args: F.args, **named: F.kwargs) -> SyncJob[R]: ...
    def enqueue(self, task: Any, /, *args: Any, **named: Any) -> Any:
        """Send one job: ``enqueue(send_sms, message, delay=60)``, or by name ``enqueue("sms", "send_sms", {…})``."""
        send = self._app.enqueue if isinstance(task, str) else _task(task).enqueue
        given = (task, *args) if isinstance(task, str) else args
        return self._sent(lambda: send(*given, **named))

    @overload
    def enqueue_many(
        self, queue: str, task: str, payloads: Iterable[Any], /, **options: Unpack[EnqueueOptions]
    ) -> list[SyncJob[Any]]: ...
    @overload
    def enqueue_many(
        self, task: Task[P, R], payloads: Iterable[P], /, **options: Unpack[EnqueueOptions]
    ) -> list[SyncJob[R]]: ...
    @overload
    def enqueue_many(self, task: Sending[P, R], payloads: Iterable[P], /) -> list[SyncJob[R]]: ...
    def enqueue_many(self, task: Any, /, *args: Any, **options: Any) -> Any:
        """Send many jobs; all are validated before the first is sent."""
        send = self._app.enqueue_many if isinstance(task, str) else _task(task).enqueue_many
        given = (task, *args) if isinstance(task, str) else args
        return self._sent(lambda: send(*given, **options))

    def result(self, job: Job[R] | SyncJob[R], timeout: Duration | None = None) -> R:
        """Wait for a job to end and return what its handler returned; ``timeout`` in seconds."""
        waited = job._job if isinstance(job, SyncJob) else job  # noqa: SLF001  # the same module's
        return self.run(lambda: waited.result(timeout))

    def run(self, act: Callable[[], Awaitable[T]]) -> T:
        """What ``act`` returns, awaited in the background: ``app.sync.run(lambda: app.queue("sms").counts())``."""
        if running_loop() is not None:
            raise UsageError(
                "app.sync would block the event loop that runs in this thread: write `await task.enqueue(…)` "
                "inside `async with app:` instead"
            )
        _refuse_uncallable(act)
        background = _background()
        return background.run(self._opened(background, act))

    def close(self) -> None:
        """Close what the app has open in the background. The next call opens it again."""
        background = self._open_in
        if background is not None and background is _the_background:
            background.run(self._closed())

    async def _closed(self) -> None:
        if self._open_in is not None:
            self._open_in = None
            await self._app.__aexit__()

    async def _opened(self, background: _Background, act: Callable[[], Awaitable[T]]) -> T:
        async with self._app:
            if self._open_in is not background:
                self._open_in = background  # stays open from here on
                background.closings.append(self._closed)
                await self._app.__aenter__()
            return await act()

    def _sent(self, send: Callable[[], Awaitable[Any]]) -> Any:
        try:
            sent = self.run(send)
        except (OutcomeUnknown, QueueFull) as error:
            if error.ticket is not None:
                error.ticket.run = self._sent
            raise
        return [self._handle(job) for job in sent] if isinstance(sent, list) else self._handle(sent)

    def _handle(self, job: Job[Any]) -> SyncJob[Any]:
        return SyncJob(job.id, job.queue, job.task, job, self)


def _task(given: Any) -> Any:
    if not isinstance(given, Task | Sending):
        raise UsageError(
            f"{as_given(given)} is not a task: give what @app.task made, or a queue and a task by name"
        )
    return given


def _refuse_uncallable(act: object) -> None:
    """Raise ``UsageError`` for what ``asyncio.run`` takes: a coroutine belongs to no loop of another thread."""
    if callable(act):
        return
    if isinstance(act, Coroutine):
        act.close()
    raise UsageError(
        f"{as_given(act)} cannot be called: give a function, as app.sync.run(lambda: app.queue('sms').counts())"
    )


class _Background:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.closings: list[Callable[[], Awaitable[None]]] = []
        self._thread = threading.Thread(target=self.loop.run_forever, name="streamq sync", daemon=True)
        self._thread.start()

    def run(self, act: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Await it there; the caller's thread waits here, and whatever interrupts it cancels it there."""
        future = asyncio.run_coroutine_threadsafe(act, self.loop)
        try:
            return future.result(timeout)
        except BaseException:
            future.cancel()
            raise

    def end(self) -> None:
        """Close what is open, and end the thread."""
        with contextlib.suppress(TimeoutError):  # a server that hangs does not hold up the end of a process
            self.run(self._close_all(), CLOSING)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CLOSING)
        if self._thread.is_alive():
            _KEPT.append(self)  # it is in use
        else:
            self.loop.close()

    async def _close_all(self) -> None:
        for close in self.closings:
            await close()


_lock = threading.Lock()
_the_background: _Background | None = None


def _background() -> _Background:
    global _the_background  # noqa: PLW0603  # one a process
    with _lock:
        if _the_background is None:
            _the_background = _Background()
        return _the_background


def _end_background() -> None:
    global _the_background  # as above
    with _lock:
        ending, _the_background = _the_background, None  # a later call gets a new one
    if ending is not None:
        ending.end()


def _begin_anew() -> None:
    """A forked child has the parent's objects and not its threads."""
    global _lock, _the_background  # noqa: PLW0603  # as above
    _lock = threading.Lock()  # the parent may have had it locked at the fork
    _KEPT.append(_the_background)
    _the_background = None


_KEPT: Final[list[Any]] = []
"""Loops that garbage collection must not close: a parent's loop shares its epoll descriptor with the child's copy."""

atexit.register(_end_background)
os.register_at_fork(after_in_child=_begin_anew)
