"""The app: what a program holds. Tasks are declared on it, jobs are enqueued through it, workers run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Self, TypeVar, Unpack

from streamq.declare import ScheduleDecorator, TaskDecorator
from streamq.duties.scheduler import Scheduler
from streamq.errors import ConfigurationError, UsageError
from streamq.model.limit import EVERY, GROUP, OF_GROUP, OF_QUEUE, OF_SHARED, QUEUE, Limit, wrong_limit
from streamq.model.names import NAME_FORM, is_name
from streamq.model.shown import as_given
from streamq.options import wrong_queue
from streamq.program import Program, no_lifespan
from streamq.scheduling import ScheduleOptions
from streamq.settings import Settings, SettingsOptions
from streamq.worker.worker import Worker

S = TypeVar("S", bound=Settings)


class App(Program):
    """Tasks, and the way to their queues.

    ``App()`` takes its settings from ``STREAMQ_*``; keywords override them: ``App(redis_url="redis://…")``.
    ``lifespan`` is an async context manager that a worker enters before its first job and leaves after its
    last; what handlers share goes into ``app.state``. What operators should know of a worker stands in ``app.notes``.
    Raises ``ConfigurationError`` when a setting is wrong.
    """

    def __init__(
        self, settings: Settings | None = None, *,
        lifespan: Callable[[App], AbstractAsyncContextManager[None]] = no_lifespan,
        **arguments: Unpack[SettingsOptions],
    ) -> None:  # fmt: skip
        if settings is None:
            settings = Settings.load(**arguments)
        elif not isinstance(settings, Settings):  # not shown: an address may hold a password
            raise ConfigurationError("App() takes Settings, or each setting by its name: App(redis_url=…)")
        elif arguments:
            settings = type(settings).load(**{**settings.given, **arguments})
        if not callable(lifespan):
            raise ConfigurationError(
                f"lifespan={as_given(lifespan)} cannot be called with the app: decorate a function that yields once "
                "by contextlib.asynccontextmanager, and give that function"
            )
        super().__init__(settings, lifespan)

    @property
    def task(self) -> TaskDecorator:
        """Declare a task: ``@app.task`` or ``@app.task(queue="sms", attempts=5, timeout=30)``.

        ``name`` is the handler's by default and must be unique in the app. The ``queue`` is ``"default"``. An attempt
        may take ``timeout`` (300) seconds; a job may spend ``attempts`` (5) of them; ``backoff`` says how long it
        waits between two. ``retry_on``, ``fail_on``, ``give_up_after`` and ``on_error`` say which errors are
        retried, and for how long. The handler is async, or plain and then run in a thread.
        Raises ``ConfigurationError``.
        """
        return TaskDecorator(self)

    def schedule(
        self, *, name: str | None = None, queue: str | None = None, payload: Any = None,
        **options: Unpack[ScheduleOptions],
    ) -> ScheduleDecorator:  # fmt: skip
        """Declare a schedule of the task below it: ``@app.schedule(cron="0 9 * * MON-FRI", zone="Europe/Berlin")``.

        ``name`` is the task's by default and must be unique in the app; ``queue`` is the task's. Each run enqueues a
        job with ``payload``. Workers and schedulers that run the app keep it in Redis. Raises ``ConfigurationError``.
        """
        return ScheduleDecorator(self, name=name, queue=queue, payload=payload, options=options)

    def limit(
        self,
        queue: str,
        limit: Limit | None = None,
        *,
        groups: Limit | None = None,
        parts: Limit | None = None,
    ) -> None:
        """Declare what holds in a queue where operators tell nothing else: ``app.limit("sms", Limit(concurrency=50))``.

        ``limit`` is of the queue; ``groups`` of every tenant, as ``Limit(concurrency=2, rate="10/s")``, and ``parts``
        of every part of one (``66338:contact-9``). Of a task ``@app.task(limit=Limit(…))`` says it. Workers tell it to
        Redis when they begin, and what code does not say any more is over then. Raises ``ConfigurationError``.
        """
        given = ((QUEUE, "limit", limit, OF_QUEUE), *(
            (f"{GROUP}{name}", what, said, OF_GROUP)
            for name, what, said in zip(EVERY, ("groups", "parts"), (groups, parts), strict=True)
        ))  # fmt: skip
        if problem := wrong_queue(queue) or next(
            (wrong for _, what, said, allowed in given if (wrong := wrong_limit(said, what, allowed))), ""
        ):
            raise ConfigurationError(problem)
        of = self.client.limits.setdefault(queue, {})
        of |= {scope: said for scope, _, said, _ in given if said is not None}

    def limit_shared(self, name: str, limit: Limit) -> None:
        """Declare what holds for what several queues draw from: ``app.limit_shared("provider", Limit(rate="100/s"))``.

        Queues and tasks draw from it whose ``Limit(shared="provider")`` says so. Operators may tell otherwise:
        ``app.shared("provider").limit(…)``. Raises ``ConfigurationError``.
        """
        problem = wrong_limit(limit, "limit", OF_SHARED)
        if not is_name(name):
            problem = f"{as_given(name)} cannot name a shared limit: {NAME_FORM}"
        if problem or limit is None:
            raise ConfigurationError(problem or 'write limit=Limit(rate="100/s")')
        self.client.shared_limits[name] = limit

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
        if self.client.is_open:
            raise UsageError("the app is open: its settings cannot change")
        self.settings = settings
        return self

    async def run_worker(self, **options: Any) -> None:
        """Run a worker until cancelled; options are those of ``Worker``. Cancelling shuts it down in order."""
        async with self:
            await Worker(self, **options).run()

    async def run_scheduler(self) -> None:
        """Promote, run schedules, reclaim, prune and audit until cancelled, for all queues."""
        async with self:
            await Scheduler(self).run()
