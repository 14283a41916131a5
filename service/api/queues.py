"""Queues: which there are, and how many jobs they hold in each state."""

from __future__ import annotations

import asyncio
import difflib
from typing import Any, Final

from aiohttp import web
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Queue

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..site import Site

PATH: Final = "/api/v1/queues"
QUEUE_NOT_FOUND: Final = ProblemType(
    404, "queue-not-found", "neither a task nor the server knows the queue; `did_you_mean` has near names"
)


class Described(TypedDict):
    """A queue, and how many jobs it holds in each state."""

    name: str
    counts: dict[str, int]


class Queues(TypedDict):
    """All queues."""

    data: list[Described]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Those of the app's tasks, and those that were ever used."""
    engine = site.engine
    queues = await asyncio.gather(*(_described(engine.queue(name)) for name in await engine.queues()))
    return {"data": queues}


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """One of them."""
    return await _described(await known_queue(site.engine, asked.request))


async def known_queue(engine: App, request: web.Request) -> Queue:
    """The queue of the path. Raises ``Problem`` 404 when neither a task nor the server knows it."""
    name = request.match_info["queue"]
    if not any(task.queue == name for task in engine.tasks.values()):
        names = await engine.queues()
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3)
            detail = f"There is no queue {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            raise Problem(QUEUE_NOT_FOUND, detail, did_you_mean=near)
    return engine.queue(name)


async def _described(queue: Queue) -> dict[str, Any]:
    return {"name": queue.name, "counts": (await queue.counts()).asdict()}


ROUTES: Final = (
    Route(
        method="GET", path=PATH, handler=index, scope=Scope.READ,
        summary="the queues with their counts",
        answers=(Success(200, "The queues", Queues),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=PATH + "/{queue}", handler=show, scope=Scope.READ,
        summary="one queue with its counts",
        answers=(Success(200, "The queue", Described),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
