"""Declaring tasks and schedules: ``@app.task`` and ``@app.task(queue="sms")``, typed by the handler below it.

A handler with one parameter makes a ``Task`` whose enqueue takes a payload and options; one with several makes a
``FieldsTask`` whose enqueue has the handler's own parameters. ``Context`` is not counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from streamq.context import Context
from streamq.durations import Duration
from streamq.errors import ConfigurationError, UsageError
from streamq.fields_task import FieldsTask
from streamq.grouping import GroupOf
from streamq.model.backoff import Backoff
from streamq.model.limit import Limit
from streamq.model.retries import ErrorTypes, RetryOn
from streamq.options import POLICY
from streamq.program import Program
from streamq.scheduling import Payload, ScheduleOptions, made, payload_of
from streamq.settings import refuse_unknown
from streamq.task import Task
from streamq.unique import Unique
from streamq.verdicts import Verdict

P = TypeVar("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
F = ParamSpec("F")
H = TypeVar("H", bound=Callable[..., Any])
T = TypeVar("T", bound=Task[Any, Any])
Several = TypeVar("Several", bound=Callable[[Any, Any], Any])
"""A handler that takes two arguments, or more with defaults: its payload is an object of fields."""


class AfterContext(Protocol[R_co]):
    """For type checkers: a handler that takes its context first, then one argument, and more that have defaults."""

    @overload
    def __call__(self, ctx: Context, first: Any, /) -> R_co: ...
    @overload
    def __call__(self, ctx: Context, first: Any, second: Any, /) -> R_co: ...


class TaskDecorator:
    """``app.task``: makes the task of the handler below it, or, called with a policy, the one that will."""

    def __init__(self, program: Program, **policy: Any) -> None:
        self._program = program
        self._policy = {name: each.default for name, each in POLICY.items()} | policy

    @overload
    def __call__(
        self, handler: None = None, /, *, name: str | None = ..., queue: str = ..., attempts: int = ...,
        timeout: Duration = ..., backoff: Backoff | None = ..., unique: Unique | None = ...,
        retry_on: RetryOn | None = ...,
        fail_on: ErrorTypes | None = ..., give_up_after: Duration | None = ...,
        on_error: Callable[[BaseException, Context], Verdict | Duration | None] | None = ...,
        on_failed: str | None = ..., version: int = ...,
        upgrade: Callable[[Any, int], Any] | None = ..., aliases: Collection[str] = ...,
        keep_completed: int | None = ..., keep_completed_for: Duration | None = ...,
        keep_failed: int | None = ..., keep_failed_for: Duration | None = ...,
        keep_result: Duration | None = ..., group: GroupOf | None = ..., limit: Limit | None = ...,
        capture_logs: bool = ...,
    ) -> TaskDecorator: ...  # fmt: skip
    @overload  # several with defaults: the context cannot be taken out by type, so fields are not checked
    def __call__(self, handler: AfterContext[R], /) -> FieldsTask[Callable[..., R]]: ...
    @overload
    def __call__(self, handler: Callable[[Any, Context, Any], R], /) -> FieldsTask[Callable[..., R]]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]  # an untyped parameter may be a Context: then all is Any
        self, handler: Callable[[P, Context], Awaitable[R]], /
    ) -> Task[P, R]: ...
    @overload
    def __call__(self, handler: Callable[[Context, P], Awaitable[R]], /) -> Task[P, R]: ...  # type: ignore[overload-overlap]  # the next but two takes what is left
    @overload
    def __call__(self, handler: Callable[[P, Context], R], /) -> Task[P, R]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, handler: Callable[[Context, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, handler: Callable[Concatenate[Context, F], R], /) -> FieldsTask[Callable[F, R]]: ...
    @overload
    def __call__(self, handler: Callable[[Any, Any, Context], R], /) -> FieldsTask[Callable[..., R]]: ...
    @overload
    def __call__(self, handler: Callable[[Any, Any, Any, Context], R], /) -> FieldsTask[Callable[..., R]]: ...
    @overload
    def __call__(
        self, handler: Callable[[Any, Any, Any, Any, Context], R], /
    ) -> FieldsTask[Callable[..., R]]: ...
    @overload
    def __call__(self, handler: Several, /) -> FieldsTask[Several]: ...
    @overload
    def __call__(self, handler: Callable[[P], Awaitable[R]], /) -> Task[P, R]: ...
    @overload
    def __call__(self, handler: Callable[[P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, handler: H, /) -> FieldsTask[H]: ...  # type: ignore[overload-cannot-match]  # none, or three and more
    def __call__(self, handler: Any = None, /, **policy: Any) -> Any:
        if handler is None or policy:
            refuse_unknown("parameter of app.task", policy, POLICY)
            given = {name: value for name, value in policy.items() if value is not None}
            made = TaskDecorator(self._program, **{**self._policy, **given})
            return made if handler is None else made(handler)
        client = self._program.client
        task: Task[Any, Any] = Task(client, handler, Context, **self._policy)
        if task.single is None:
            task = FieldsTask(client, handler, Context, **self._policy)
        self._program.add_task(task)
        return task


class ScheduleDecorator:
    """``app.schedule(…)``: declares a schedule of the task below it."""

    def __init__(
        self, program: Program, *, name: str | None, queue: str | None, payload: Any, options: ScheduleOptions
    ) -> None:
        self._program, self._name, self._queue = program, name, queue
        self._payload, self._options = payload, options

    def __call__(self, task: T) -> T:
        if not isinstance(task, Task):
            raise ConfigurationError("app.schedule stands above app.task: it takes a task, not a handler")
        name = self._name if self._name is not None else task.name
        queue = self._queue if self._queue is not None else task.queue
        try:
            schedule = made(name, queue, task.name, lambda: self._encoded(task), self._options, "code")
        except UsageError as error:  # where it is declared, it is the configuration that is wrong
            raise ConfigurationError(str(error)) from None
        self._program.add_schedule(schedule)
        return task

    def _encoded(self, task: Task[Any, Any]) -> Payload:
        return payload_of(task, task.encode_or_default(self._payload))
