"""Steering: a queue, or a task in it, is paused and resumed, and how many jobs may wait is bounded."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import KEEPING, OPTIONS, InvalidLimit, PartitionsChanging, QueueInUse, QueueNotEmpty, UsageError

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import INTEGER, Most, Request, of_option
from ..http.route import Asked, Route, Success
from ..site import Site
from .changes import Line
from .queues import PATH, QUEUE_NOT_FOUND, Described, described, known_queue

Task = Annotated[str | None, Field(min_length=1, max_length=200)]
Bound = Annotated[int | None, Field(ge=0, lt=2**53), INTEGER]


# -- what requests carry -----------------------------------------------------------------------------------------


class PauseRequest(Request):
    """Why, until when and by whom a queue is paused, or one ``task`` in it. Without ``until`` somebody must resume."""

    reason: Line = ""
    until: of_option(OPTIONS["expires"]) = None  # type: ignore[valid-type]
    task: Task = None
    by: Line = ""


class ResumeRequest(Request):
    """The ``task`` that is resumed; the queue itself where it names none."""

    task: Task = None


class RetentionRequest(Request):
    """How many records are kept and for how long, of the queue or of one ``task`` in it. What is left out stays; null
    goes back to what the settings say, or the task's code."""

    task: Task = None
    completed: of_option(KEEPING["completed"]) = None  # type: ignore[valid-type]
    completed_for: of_option(KEEPING["completed_for"]) = None  # type: ignore[valid-type]
    failed: of_option(KEEPING["failed"]) = None  # type: ignore[valid-type]
    failed_for: of_option(KEEPING["failed_for"]) = None  # type: ignore[valid-type]


class QueueRequest(Request):
    """What is to change in a queue; what is left out stays. ``max_waiting`` null lets any number of jobs wait.

    ``concurrency`` and ``rate`` (such as ``100/s``) limit it as code does not: null goes back to what code says, and
    ``unlimited`` lifts that. ``partitions`` is over how many its jobs are spread, 1 to 64.
    """

    paused: bool | None = None
    reason: Line | None = None
    until: of_option(OPTIONS["expires"]) = None  # type: ignore[valid-type]
    by: Line | None = None
    max_waiting: Bound = None
    concurrency: Most = None
    rate: str | None = None
    retention: RetentionRequest | None = None
    partitions: Annotated[int | None, INTEGER] = None

    @field_validator("reason", "until", "by")
    @classmethod
    def _of_a_pause(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and not info.data.get("paused"):
            raise PydanticCustomError("without_pause", "is said of a pause: send paused, too")
        return value


# -- handlers ----------------------------------------------------------------------------------------------------


async def change(site: Site, asked: Asked[None, QueueRequest]) -> dict[str, Any]:
    """The queue as it is now."""
    queue, body = await known_queue(site.engine, asked.request), asked.body
    if given := body.model_dump(include=body.model_fields_set & {"max_waiting", "concurrency", "rate"}):
        await queue.limit(**given)
    if body.retention is not None:
        told = body.retention.model_dump(include=body.retention.model_fields_set - {"task"})
        await queue.keep(task=body.retention.task, **told)
    if body.partitions is not None:
        await queue.partition(body.partitions)
    if body.paused:
        await queue.pause(body.reason or "", until=body.until, by=body.by or "")
    elif body.paused is False:
        await queue.resume()
    return await described(site.engine, queue.name)


async def pause(site: Site, asked: Asked[None, PauseRequest]) -> dict[str, Any]:
    """The queue as it is now."""
    queue, body = await known_queue(site.engine, asked.request), asked.body
    await queue.pause(body.reason, until=body.until, task=body.task, by=body.by)
    return await described(site.engine, queue.name)


async def resume(site: Site, asked: Asked[None, ResumeRequest]) -> dict[str, Any]:
    """The queue as it is now, whether it was paused or not."""
    queue = await known_queue(site.engine, asked.request)
    await queue.resume(task=asked.body.task)
    return await described(site.engine, queue.name)


class Removal(Request):
    """With ``purge`` all that is in the queue goes with it."""

    purge: Annotated[bool, Field(strict=False)] = False


class Removed(TypedDict):
    """The name of a queue that there is no more."""

    deleted: str


async def remove(site: Site, asked: Asked[Removal, None]) -> Removed:
    """Its name, as there is nothing else left of it."""
    queue = await known_queue(site.engine, asked.request)
    await queue.remove(purge=asked.query.purge)
    return {"deleted": queue.name}


# -- routes ------------------------------------------------------------------------------------------------------

_QUEUE: Final = PATH + "/{queue}"
_STEERED: Final = (Success(200, "The queue as it is now", Described),)
_PROBLEMS: Final = (QUEUE_NOT_FOUND, OF_ENGINE[UsageError], *OUTAGES)

ROUTES: Final = (
    Route(
        method="PATCH", path=_QUEUE, handler=change, scope=Scope.ADMIN, body=QueueRequest,
        summary="pause or resume a queue, bound how many jobs may wait, say how many records are kept, and part it",
        answers=_STEERED, problems=(*_PROBLEMS, OF_ENGINE[InvalidLimit], OF_ENGINE[PartitionsChanging]),
    ),
    Route(
        method="DELETE", path=_QUEUE, handler=remove, scope=Scope.ADMIN, query=Removal, any_type=True,
        summary="remove a queue that nobody serves and that is empty, or with `purge` all that is in it",
        answers=(Success(200, "The queue is removed", Removed),),
        problems=(QUEUE_NOT_FOUND, OF_ENGINE[QueueInUse], OF_ENGINE[QueueNotEmpty], *OUTAGES),
    ),
    Route(
        method="POST", path=_QUEUE + "/pause", handler=pause, scope=Scope.ADMIN, body=PauseRequest,
        body_may_be_empty=True,
        summary="start no job of a queue, or of one task in it; what runs goes on",
        answers=_STEERED, problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_QUEUE + "/resume", handler=resume, scope=Scope.ADMIN, body=ResumeRequest,
        body_may_be_empty=True,
        summary="end a pause",
        answers=_STEERED, problems=_PROBLEMS,
    ),
)  # fmt: skip
