"""Failures: failed jobs by kinds: those that failed alike. To retry one: a bulk operation with its fingerprint."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.narrowed import items_by
from ..http.route import Asked, Route, Success
from ..site import Site
from .queues import PATH, QUEUE_NOT_FOUND, known_queue


class FailureDocument(TypedDict):
    """Of ``count`` jobs that failed so, ``failed`` are failed now; ``trend`` counts by the hour, the last 24."""

    fingerprint: str
    queue: str
    task: str
    type: str
    message: str
    frame: str
    sample: str
    count: int
    failed: int
    first_at: str | None
    last_at: str | None
    trend: list[int]


class FailureList(TypedDict):
    """The kinds, those with the most failed jobs first."""

    data: list[FailureDocument]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """The kinds of all queues."""
    return {"data": [kind.asdict() for kind in await site.engine.failures()]}


async def of_queue(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """The kinds of a queue that is known."""
    queue = await known_queue(site.engine, asked.request)
    return {"data": [kind.asdict() for kind in await queue.failures()]}


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/failures", handler=index, scope=Scope.READ, narrowed=items_by("queue"),
        summary="failed jobs by their kinds, of all queues",
        answers=(Success(200, "The kinds", FailureList),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=PATH + "/{queue}/failures", handler=of_queue, scope=Scope.READ,
        summary="the same of one queue",
        answers=(Success(200, "The kinds", FailureList),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
