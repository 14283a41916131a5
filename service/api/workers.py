"""Workers: who is alive, and what they serve."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.route import Asked, Route, Success
from ..site import Site


class Worker(TypedDict):
    """What a worker says of itself."""

    name: str
    host: str
    pid: int
    queues: list[str]
    concurrency: int
    started_at: str
    version: str
    overdue: list[dict[str, Any]]
    notes: list[dict[str, Any]]


class Workers(TypedDict):
    """All that are registered."""

    data: list[Worker]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """A lost one stays until it is reclaimed."""
    return {"data": [worker.asdict() for worker in await site.engine.workers()]}


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/workers", handler=index, scope=Scope.READ,
        summary="the workers that are registered",
        answers=(Success(200, "The workers", Workers),), problems=OUTAGES,
    ),
)  # fmt: skip
