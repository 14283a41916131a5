"""A task with several parameters, or none: its payload is an object with a member for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from streamq.job import Job
from streamq.options import OPTIONS, EnqueueOptions, refuse, resembles_an_option
from streamq.task import Sending, Task

R = TypeVar("R")
F = ParamSpec("F")
H_co = TypeVar("H_co", bound=Callable[..., Any], covariant=True)


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
        given, options = self._told_apart(fields)
        return await self.send(self.queue, self._given(args, given), options)

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


class FieldsSending(Sending[Any, Any], Generic[H_co]):
    """The same for a task with several named parameters."""

    @overload  # its parameters are the handler's
    async def enqueue(
        self: FieldsSending[Callable[F, Awaitable[R]]], *args: F.args, **fields: F.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue(self: FieldsSending[Callable[F, R]], *args: F.args, **fields: F.kwargs) -> Job[R]: ...
    async def enqueue(self, *args: Any, **fields: Any) -> Any:
        """Send one job, its fields by name."""
        payload = self.task._given(args, fields)  # noqa: SLF001  # its own other half
        return await self.task.send(self.task.queue, payload, self._options)
