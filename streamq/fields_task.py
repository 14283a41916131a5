"""A task with several parameters, or none: its payload is an object with a member for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from streamq.errors import UsageError
from streamq.job import Job
from streamq.options import ALIKE, OPTIONS, EnqueueOptions, refuse_reserved
from streamq.task import Sending, Task
from streamq.terms import PLAIN

R = TypeVar("R")
F = ParamSpec("F")
H_co = TypeVar("H_co", bound=Callable[..., Any], covariant=True)


class FieldsTask(Task[Any, Any], Generic[H_co]):
    """A task with several parameters, or none; they are named when a job is enqueued.

    ``enqueue`` takes these alone; options come before: ``report.options(delay=60).enqueue(day="2026-11-26")``.
    """

    @overload  # its parameters are the handler's
    async def enqueue(
        self: FieldsTask[Callable[F, Awaitable[R]]], *args: F.args, **fields: F.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue(self: FieldsTask[Callable[F, R]], *args: F.args, **fields: F.kwargs) -> Job[R]: ...
    async def enqueue(self, *args: Any, **fields: Any) -> Any:
        """Send one job; its fields by name, or by place in the handler's order.

        Raises what ``Task.enqueue`` raises, and ``UsageError`` for an option among the fields.
        """
        return await self.send(self.queue, self.payload_of(args, fields), PLAIN)

    def options(self, **options: Unpack[EnqueueOptions]) -> FieldsSending[H_co]:
        """The task with options set, for all that is sent with it.

        Raises ``UsageError`` at once for what is no option, or cannot be its value.
        """
        return FieldsSending(self, options)

    def payload_of(self, args: tuple[Any, ...], fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """The payload, an object, of fields by place and by name. Raises ``UsageError`` for an option among them."""
        if not fields.keys() <= self._fields.keys():
            self._refuse_options(fields.keys() - self._fields.keys())
        if not args:
            return fields
        names = tuple(self._fields)
        if not names:
            raise TypeError(f"{self.name}.enqueue() takes no values: its handler has no parameter for them")
        if len(args) > len(names) or not fields.keys().isdisjoint(names[: len(args)]):
            raise TypeError(f"{self.name}.enqueue() has more values than parameters: {', '.join(names)}")
        return {**dict(zip(names, args, strict=False)), **fields}

    def _refuse_options(self, strange: Iterable[str]) -> None:
        """What is no field is an error of the payload, unless it is an option, or more like one than like a field."""
        for name in sorted(strange):
            refuse_reserved(name)
            near = get_close_matches(name, (*OPTIONS, *self._fields), 1, ALIKE)
            if near and near[0] in OPTIONS:
                why = "options are not fields." if name in OPTIONS else f"did you mean {near[0]}?"
                raise UsageError(
                    f"{name!r} is not an argument of {self.name}.enqueue: {why} "
                    f"Write {self.name}.options({near[0]}=…).enqueue(…)"
                )


class FieldsSending(Sending[Any, Any], Generic[H_co]):
    """Made by ``task.options(…)`` of a task with named fields: the task, with options that hold for all it enqueues."""

    task: FieldsTask[H_co]

    @overload  # its parameters are the handler's
    async def enqueue(
        self: FieldsSending[Callable[F, Awaitable[R]]], *args: F.args, **fields: F.kwargs
    ) -> Job[R]: ...
    @overload
    async def enqueue(self: FieldsSending[Callable[F, R]], *args: F.args, **fields: F.kwargs) -> Job[R]: ...
    async def enqueue(self, *args: Any, **fields: Any) -> Any:
        """Send one job; its fields by name, or by place in the handler's order."""
        return await self.task.send(self.task.queue, self.task.payload_of(args, fields), self._terms)
