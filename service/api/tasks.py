"""Tasks: what workers can do, and what a job of each takes."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import TaskNotFound

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import Request
from ..http.narrowed import items_by
from ..http.route import Asked, Route, Success
from ..site import Site


class TaskOptions(TypedDict):
    """What a job of the task has where it says nothing else; times are seconds."""

    attempts: int
    timeout: float
    keep_result: float | None
    on_failed: str | None


class TaskDocument(TypedDict):
    """A task as workers have published it: `schema` is the JSON Schema of its payload, of the `version`, where it has
    one of at most 32 KiB; `masked` are JSON pointers; `workers` serve it now."""

    name: str
    queue: str
    description: str
    version: int
    aliases: list[str]
    options: TaskOptions
    masked: list[str]
    workers: int
    schema: dict[str, Any] | None


class TaskList(TypedDict):
    """All tasks, by name."""

    data: list[TaskDocument]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """One whose workers are gone is there until another worker begins."""
    return {"data": [task.asdict() for task in await site.engine.served_tasks()]}


class TaskQuery(Request):
    """Which of the tasks of a name, where it is in several queues; left out, that of the most workers."""

    queue: str | None = None


async def show(site: Site, asked: Asked[TaskQuery, None]) -> dict[str, Any]:
    """One, by its name or one that it had before."""
    return (await site.engine.served_task(asked.request.match_info["name"], asked.query.queue)).asdict()


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/tasks", handler=index, scope=Scope.READ, narrowed=items_by("queue"),
        summary="the tasks of all workers, with the JSON Schemas of their payloads",
        answers=(Success(200, "The tasks", TaskList),), problems=OUTAGES,
    ),
    Route(
        method="GET", path="/api/v1/tasks/{name}", handler=show, scope=Scope.READ, query=TaskQuery,
        summary="one task",
        answers=(Success(200, "The task", TaskDocument),), problems=(OF_ENGINE[TaskNotFound], *OUTAGES),
    ),
)  # fmt: skip
