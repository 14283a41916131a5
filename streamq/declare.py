"""Declaring tasks: ``@app.task`` and ``@app.task(queue="sms")``, typed by the handler below it.

A handler with one parameter makes a ``Task`` whose enqueue takes a payload and options; one with several makes a
``FieldsTask`` whose enqueue has the handler's own parameters. ``Context`` is not counted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from streamq.durations import Duration
from streamq.model.judge import Backoff
from streamq.model.keys import Keys
from streamq.sending import OPTIONS, EnqueueOptions, FieldsSending, refuse, resembles_an_option
from streamq.settings import refuse_unknown
from streamq.task import Context, Task

if TYPE_CHECKING:
    from typing import Unpack

    from streamq.app import App
    from streamq.job import Job

P = TypeVar("P")
R = TypeVar("R")
F = ParamSpec("F")
H = TypeVar("H", bound=Callable[..., Any])
H_co = TypeVar("H_co", bound=Callable[..., Any], covariant=True)
Several = TypeVar("Several", bound=Callable[[Any, Any], Any])
"""A handler that takes two arguments, or more with defaults: it is no single payload's."""


class FieldsTask(Task[Any, Any], Generic[H_co]):
    """A task with several parameters, or none; they are named when a job is enqueued.

    For the type checker options are apart: ``report.options(delay=60).enqueue(day="2026-11-26")``.
    """

    @overload  # its parameters are the handler's
    async def enqueue(
        self: FieldsTask[Callable[F, Awaitable[R]]], *args: F.args, **fields: F.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue(self: FieldsTask[Callable[F, R]], *args: F.args, **fields: F.kwargs) -> Job[R]: ...
    async def enqueue(self, *args: Any, **fields: Any) -> Any:
        """Send one job; its fields by name, or by place in the handler's order."""
        return await self._send(args, *self._told_apart(fields))

    def options(self, **options: Unpack[EnqueueOptions]) -> FieldsSending[H_co]:
        """The task with options set."""
        return FieldsSending(self, options)

    def _given(self, args: tuple[Any, ...], fields: Any) -> Any:
        if not args or (len(args) == 1 and not fields and not self._is_a_field(args[0])):
            return super()._given(args, fields)  # all of the payload at once
        names = self._fields
        refuse(self.name, [n for n in fields if n not in names and resembles_an_option(n)], OPTIONS)
        if len(args) > len(names) or not fields.keys().isdisjoint(names[: len(args)]):
            raise TypeError(f"{self.name}.enqueue() has more values than parameters: {', '.join(names)}")
        return super()._given((), {**dict(zip(names, args, strict=False)), **fields})

    def _is_a_field(self, value: Any) -> bool:
        """An object is the payload as a whole, anything else the first of its fields."""
        return not isinstance(value, dict) and not hasattr(value, "model_fields")


class TaskDecorator:
    """``app.task``: makes the task of the handler below it, or, called with a policy, the one that will."""

    def __init__(self, app: App, **policy: Any) -> None:
        self._app, self._policy = app, policy

    @overload
    def __call__(
        self, handler: None = None, /, *, name: str | None = ..., queue: str = ..., attempts: int = ...,
        timeout: Duration = ..., backoff: Backoff | None = ...,
    ) -> TaskDecorator: ...  # fmt: skip
    @overload
    def __call__(  # type: ignore[overload-overlap]  # an untyped parameter may be a Context: then all is Any
        self, handler: Callable[[P, Context], Awaitable[R]], /
    ) -> Task[P, R]: ...
    @overload
    def __call__(self, handler: Callable[[Context, P], Awaitable[R]], /) -> Task[P, R]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[Context, F], Awaitable[R]], /
    ) -> FieldsTask[Callable[F, Awaitable[R]]]: ...
    @overload
    def __call__(
        self, handler: Callable[[Any, Any, Context], Awaitable[R]], /
    ) -> FieldsTask[Callable[..., Awaitable[R]]]: ...
    @overload
    def __call__(
        self, handler: Callable[[Any, Any, Any, Context], Awaitable[R]], /
    ) -> FieldsTask[Callable[..., Awaitable[R]]]: ...
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
            refuse_unknown("parameter of app.task", policy, self._policy)
            given = {name: value for name, value in policy.items() if value is not None}
            made = TaskDecorator(self._app, **{**self._policy, **given})
            return made if handler is None else made(handler)
        Keys("", self._policy["queue"])  # a bad name is refused where it is written
        task: Task[Any, Any] = Task(self._app, handler, **self._policy)
        if task.single is None:
            task = FieldsTask(self._app, handler, **self._policy)
        self._app.add_task(task)
        return task
