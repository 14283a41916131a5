"""The app: what a program holds. Tasks are declared on it, jobs are enqueued through it, workers run it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Self, TypeVar, Unpack

from streamq.client.opening import Opening, Openings
from streamq.declare import TaskDecorator
from streamq.durations import Duration
from streamq.errors import (
    ConfigurationError,
    FieldError,
    InvalidPayload,
    OutcomeUnknown,
    PayloadTooLarge,
    UsageError,
)
from streamq.job import Job
from streamq.model import codec
from streamq.model.clock import monotonic
from streamq.model.envelope import New
from streamq.model.job_record import JobRecord
from streamq.model.judge import Backoff
from streamq.model.values import Unfit, write_untyped
from streamq.model.worker_info import WorkerInfo
from streamq.notes import Notes
from streamq.options import patience, sent
from streamq.queue import Queue
from streamq.redis.link import wait_ready
from streamq.sending import EnqueueOptions
from streamq.settings import Settings, SettingsOptions
from streamq.store.store import Store
from streamq.store.views import Views
from streamq.sync import Sync
from streamq.task import Task

log = logging.getLogger("streamq.app")

S = TypeVar("S", bound=Settings)
Lifespan = Callable[["App"], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _no_lifespan(_: App) -> AsyncIterator[None]:
    yield


class App:
    """Tasks, and the way to their queues.

    ``App()`` takes its settings from ``STREAMQ_*``; keywords override them: ``App(redis_url="redis://…")``.
    ``lifespan`` is an async context manager that a worker enters before its first job and leaves after its
    last; what handlers share goes into ``app.state``. What operators should know of a worker stands in ``app.notes``.
    Raises ``ConfigurationError`` when a setting is wrong.
    """

    def __init__(
        self, settings: Settings | None = None, *, lifespan: Lifespan = _no_lifespan,
        **arguments: Unpack[SettingsOptions],
    ) -> None:  # fmt: skip
        if settings is None:
            settings = Settings.load(**arguments)
        elif arguments:
            settings = type(settings).load(**{**settings.given, **arguments})
        self.settings = settings
        self.lifespan = lifespan
        self.state: dict[str, Any] = {}
        self.notes = Notes()
        self.tasks: dict[str, Task[Any, Any]] = {}
        self._compared: set[tuple[str, str]] = set()
        self._openings = Openings(lambda: Opening.of(self.settings, self._attempts_of))

    # -- tasks ----------------------------------------------------------------------------------------------

    @property
    def task(self) -> TaskDecorator:
        """Declare a task: ``@app.task`` or ``@app.task(queue="sms", attempts=5, timeout=30)``.

        ``name`` is the handler's by default and must be unique in the app. The ``queue`` is ``"default"``. An attempt
        may take ``timeout`` (300) seconds; a job may spend ``attempts`` (5) of them; ``backoff`` says how long it
        waits between two. The handler is async, or plain and then run in a thread. Raises ``ConfigurationError``.
        """
        return TaskDecorator(self, name=None, queue="default", attempts=5, timeout=300.0, backoff=Backoff())

    def add_task(self, task: Task[Any, Any]) -> None:
        """Register a task. Raises ``ConfigurationError`` when its name is taken."""
        if task.name in self.tasks:
            raise ConfigurationError(f"two tasks are named {task.name!r}: give one of them name=…")
        self.tasks[task.name] = task

    def configure(self, kind: type[S], options: Mapping[str, Any]) -> S:
        """The settings under which a role runs this app, of ``kind`` or a subclass of it.

        ``options``, typed on a command line, win over the arguments of ``App(…)``, and those over the environment.
        Raises ``ConfigurationError``, and ``UsageError`` when the app is open.
        """
        own = type(self.settings)
        kind = own if issubclass(own, kind) else kind
        given = {name: value for name, value in self.settings.given.items() if name in kind.model_fields}
        settings = kind.load(**{**given, **{name: v for name, v in options.items() if v is not None}})
        self.with_settings(settings)
        return settings

    def with_settings(self, settings: Settings) -> Self:
        """This app under other settings, as a test has them. Raises ``UsageError`` when it is open."""
        if self._openings:
            raise UsageError("the app is open: its settings cannot change")
        self.settings = settings
        return self

    # -- life -----------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._openings.enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._openings.leave()

    @cached_property
    def sync(self) -> Sync:
        """The app for threads without an event loop: Django, Flask, scripts, plain handlers."""
        return Sync(self)

    @property
    def store(self) -> Store:
        """The acts on the server. Raises ``NotOpen`` outside ``async with app``."""
        return self._openings.here().store

    @property
    def views(self) -> Views:
        """The looks at the server. Raises ``NotOpen`` outside ``async with app``."""
        return self._openings.here().views

    async def ping(self) -> float:
        """A round trip to the server, in seconds. Raises ``Unavailable``."""
        start = monotonic()
        await self.store.pool.call("PING")
        return monotonic() - start

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Wait for the server, at most ``timeout`` (default ``settings.ready_timeout``) seconds.

        Raises ``Unavailable`` with what each address said, and ``Rejected`` at once on a wrong login.
        """
        await wait_ready(self.store.servers, self.settings.ready_timeout if timeout is None else timeout)

    # -- jobs -----------------------------------------------------------------------------------------------

    async def enqueue(
        self, queue: str, task: str, payload: Any = None, **options: Unpack[EnqueueOptions]
    ) -> Job[Any]:
        """Send one job by name, and return its handle.

        A task that is registered here checks its payload; any other name is taken as it is, for a worker that
        knows it. Options and errors are those of ``Task.enqueue``.
        """
        due, headers = sent(task, self.tasks, options)
        self._check_queue(queue, task)
        new = New(task, self._encode(task, payload), headers, due)
        outbox = self._openings.here().outbox(queue)
        try:
            ids = await outbox.put(queue, (new,), options.get("durability") or self.settings.durability)
        except OutcomeUnknown as error:
            if error.repeat is not None:
                repeat = error.repeat
                error.repeat = lambda: _only(self._handles(repeat(), queue, task))
            raise
        return Job(ids[0], queue, task, self._wait, self._look)

    async def enqueue_many(
        self, queue: str, task: str, payloads: Iterable[Any], **options: Unpack[EnqueueOptions]
    ) -> list[Job[Any]]:
        """Send many jobs by name; all are validated before the first is sent."""
        due, headers = sent(task, self.tasks, options)
        self._check_queue(queue, task)
        jobs = [New(task, self._encode(task, payload), headers, due) for payload in payloads]
        if not jobs:
            return []
        opening, count = self._openings.here(), len(jobs)
        durability = options.get("durability") or self.settings.durability
        send = opening.outbox(queue).put_many(queue, _emptied(jobs), durability)
        if 2 * count <= self.settings.keep_completed:
            return await self._handles(send, queue, task)
        async with opening.results(queue).expecting():
            return await self._handles(send, queue, task)

    async def _handles(self, send: Awaitable[list[str]], queue: str, task: str) -> list[Job[Any]]:
        """Handles on what ``send`` enqueues; what an unknown outcome is repeated as returns them too."""
        try:
            wait, look = self._wait, self._look  # bound once, not for each of many
            return [Job(job_id, queue, task, wait, look) for job_id in await send]
        except OutcomeUnknown as error:
            if error.repeat is not None:
                repeat = error.repeat
                error.repeat = lambda: self._handles(repeat(), queue, task)
            raise

    def _encode(self, name: str, payload: Any) -> bytes:
        task = self.tasks.get(name)
        if task is not None:
            return task.encode(payload)
        try:
            encoded = write_untyped(payload)
        except Unfit as error:
            raise InvalidPayload(name, error.errors) from None
        if told := codec.unreadable(encoded):
            raise InvalidPayload(name, [FieldError("", "not-readable", told)])
        if len(encoded) > self.settings.max_payload:
            raise PayloadTooLarge(name, len(encoded), self.settings.max_payload)
        return encoded

    def _check_queue(self, queue: str, name: str) -> None:
        """A task may be sent to any queue; one that is named almost as its own is likely that. Said once."""
        task = self.tasks.get(name)
        if task is None or queue == task.queue:
            return
        self.store.keys(queue)  # a name that is none is refused
        if (queue, task.queue) in self._compared:
            return
        self._compared.add((queue, task.queue))
        declared = any(queue == other.queue for other in self.tasks.values())
        if not declared and get_close_matches(queue, [task.queue], 1, 0.75):
            log.warning(
                "task %s is sent to queue %s, on which no task is declared: did you mean %s?",
                name, queue, task.queue,
            )  # fmt: skip

    async def _look(self, queue: str, job_id: str) -> JobRecord:
        return await self.views.job(queue, job_id)

    async def _wait(self, job: Job[Any], timeout: Duration | None) -> Any:
        seconds = patience(timeout)
        results = self._openings.here().results(job.queue)
        record = await results.wait(job.id, seconds)
        task = self.tasks.get(job.task)
        return record.result if task is None else task.parse_result(record.result, job.id)

    def _attempts_of(self, name: str) -> int | None:
        task = self.tasks.get(name)
        return None if task is None else task.attempts

    # -- looking --------------------------------------------------------------------------------------------

    def queue(self, name: str) -> Queue:
        """A queue to look at and to steer. Raises ``ConfigurationError`` for a bad name."""
        self.store.keys(name)
        return Queue(name, self.store, self.views)

    async def queues(self) -> list[str]:
        """The names of the queues: this app's and those that were ever used."""
        return sorted({task.queue for task in self.tasks.values()} | await self.views.queues())

    async def workers(self) -> list[WorkerInfo]:
        """The workers that are registered. A lost one stays until it is reclaimed."""
        return await self.views.workers()

    # -- roles ----------------------------------------------------------------------------------------------

    async def run_worker(self, **options: Any) -> None:
        """Run a worker until cancelled; options are those of ``Worker``. Cancelling shuts it down in order."""
        from streamq.worker.worker import Worker  # noqa: PLC0415  # a worker holds an app, not the reverse

        async with self:
            await Worker(self, **options).run()

    async def run_scheduler(self) -> None:
        """Promote, reclaim, prune and audit until cancelled, for all queues."""
        from streamq.duties.scheduler import Scheduler  # noqa: PLC0415  # the same

        async with self:
            await Scheduler(self).run()


async def _only(handles: Awaitable[list[Job[Any]]]) -> Job[Any]:
    """The one handle, also of what an unknown outcome is repeated as."""
    try:
        return (await handles)[0]
    except OutcomeUnknown as error:
        if error.repeat is not None:
            repeat = error.repeat
            error.repeat = lambda: _only(repeat())
        raise


def _emptied(jobs: list[New]) -> Iterator[New]:
    """The jobs in order, each let go when it is taken: what is sent needs no memory here."""
    jobs.reverse()
    while jobs:
        yield jobs.pop()
