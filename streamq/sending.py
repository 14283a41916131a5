"""The options of enqueue, and a task with some of them set: ``report.options(delay=60).enqueue(day="2026-11-26")``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypedDict, TypeVar, overload

from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.settings import Durability

if TYPE_CHECKING:
    from streamq.job import Job
    from streamq.task import Task

P = TypeVar("P")
R = TypeVar("R")
F = ParamSpec("F")
H_co = TypeVar("H_co", bound=Callable[..., Any], covariant=True)


class EnqueueOptions(TypedDict, total=False):
    """What may be said of a job beside its payload; each overrides its task's or its app's."""

    delay: Duration | None
    at: datetime | None
    attempts: int | None
    timeout: Duration | None
    durability: Durability | None


OPTIONS: Final = frozenset(EnqueueOptions.__annotations__)


class Sending(Generic[P, R]):
    """Made by ``task.options(…)``: the task, with options that hold for all it enqueues."""

    def __init__(self, task: Task[Any, Any], options: Mapping[str, Any]) -> None:
        refuse(task.name, set(options) - OPTIONS, OPTIONS)
        self.task, self._options = task, dict(options)

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        return f"{self.task!r}.options({said})"

    async def enqueue(self, payload: P, /) -> Job[R]:
        """Send one job; payload or named fields alone, as the options are given already."""
        sent: Job[R] = await self.task._send((payload,), {}, self._options)  # noqa: SLF001  # its own other half
        return sent

    async def enqueue_many(self, payloads: Iterable[P]) -> list[Job[R]]:
        """Send many jobs."""
        return await self.task.enqueue_many(payloads, **self._options)


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
        return await self.task._send(args, fields, self._options)  # noqa: SLF001  # the same


def refuse(task: str, strange: Iterable[str], known: Iterable[str]) -> None:
    """Raise ``UsageError`` for a name that enqueue does not know, with the one that may be meant."""
    for name in sorted(strange):
        near = get_close_matches(name, sorted(known), 1)
        hint = f"did you mean {near[0]}?" if near else f"it takes {', '.join(sorted(known))}"
        raise UsageError(f"{name!r} is not an argument of {task}.enqueue: {hint}")


def resembles_an_option(name: str) -> bool:
    """Whether a name is likely a misspelt option."""
    return bool(get_close_matches(name, OPTIONS, 1, 0.75))
