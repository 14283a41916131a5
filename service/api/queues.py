"""Queues: which there are, how many jobs they hold in each state, and what was told to them."""

from __future__ import annotations

import asyncio
import difflib
from typing import Any, Final

from aiohttp import web
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Counts, Partitions, Queue, Steering

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.narrowed import items_by
from ..http.problems import Hint, Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..site import Site

PATH: Final = "/api/v1/queues"
QUEUE_NOT_FOUND: Final = ProblemType(
    404, "queue-not-found", "neither a task nor the server knows the queue; `did_you_mean` has near names"
)


class PauseDocument(TypedDict):
    """A pause of a queue or of a task; without ``until`` it lasts until somebody resumes."""

    reason: str
    by: str
    since: str | None
    until: str | None


class KeptDocument(TypedDict):
    """How many records are kept, and for how many seconds; null is what the settings say, or the task's code."""

    completed: int | None
    completed_for: float | None
    failed: int | None
    failed_for: float | None


class RetentionDocument(KeptDocument):
    """What was told of a queue, and of its ``tasks`` that have a retention of their own."""

    tasks: dict[str, KeptDocument]


class PartitionsDocument(TypedDict):
    """Over how many partitions new jobs are spread, and how many may have some; a change is `closing`, `moving` or
    `settled`, and was `told` by an operator. While it is `moving`, so many groups and keys stay where they were, with
    some `examples`."""

    count: int
    reach: int
    was: int
    phase: str
    told: bool
    staying: int
    examples: list[str]


class Described(TypedDict):
    """A queue: how many jobs it holds in each state, its pauses, and how many jobs may wait at most. Where delayed jobs
    are `overdue`, due more than 10 seconds ago, nobody makes them wait: no worker and no scheduler runs."""

    name: str
    counts: dict[str, int]
    overdue: int
    paused: PauseDocument | None
    paused_tasks: dict[str, PauseDocument]
    max_waiting: int | None
    retention: RetentionDocument
    partitions: PartitionsDocument


class Queues(TypedDict):
    """All queues."""

    data: list[Described]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Those of the app's tasks, and those that were ever used."""
    engine = site.engine
    names = await engine.queues()
    counts = await asyncio.gather(*(engine.queue(name).counts() for name in names))
    told, overdue = await engine.steering(names), await engine.overdue(names)
    parts = [await engine.queue(name).partitions() for name in names]
    return {
        "data": [
            _document(name, count, told[name], overdue.get(name, 0), its)
            for name, count, its in zip(names, counts, parts, strict=True)
        ]
    }


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """One of them."""
    return await described(site.engine, (await known_queue(site.engine, asked.request)).name)


async def known_queue(engine: App, request: web.Request) -> Queue:
    """The queue of the path. Raises ``Problem`` 404 when neither a task nor the server knows it."""
    return await queue_named(engine, request.match_info["queue"])


async def queue_named(engine: App, name: str) -> Queue:
    """The same by its name."""
    if not any(task.queue == name for task in engine.tasks.values()):
        names = await engine.queues()
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3)
            hint = Hint(f" Did you mean {near[0]!r}?" if near else "", {"did_you_mean": near})
            raise Problem(QUEUE_NOT_FOUND, f"There is no queue {name!r}.", hint=hint)
    return engine.queue(name)


async def described(engine: App, name: str) -> dict[str, Any]:
    """A queue as it is now."""
    queue = engine.queue(name)
    overdue = await engine.overdue([name])
    its = await queue.partitions()
    return _document(name, await queue.counts(), await queue.steering(), overdue.get(name, 0), its)


def _document(name: str, counts: Counts, told: Steering, overdue: int, its: Partitions) -> dict[str, Any]:
    return {
        "name": name, "counts": counts.asdict(), "overdue": overdue, **told.asdict(), "partitions": its.asdict(),
    }  # fmt: skip


ROUTES: Final = (
    Route(
        method="GET", path=PATH, handler=index, scope=Scope.READ,
        summary="the queues with their counts and pauses", narrowed=items_by("name"),
        answers=(Success(200, "The queues", Queues),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=PATH + "/{queue}", handler=show, scope=Scope.READ,
        summary="one queue with its counts and pauses",
        answers=(Success(200, "The queue", Described),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
