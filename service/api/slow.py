"""Slow jobs: what runs longest now, and what ran longest in the last hour."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.inputs import WHOLE, Request
from ..http.route import Asked, Route, Success
from ..site import Site

FRESH: Final = 2.0
"""Seconds for which they are told again: records of many queues are read for them."""


class SlowQuery(Request):
    """How many of each kind."""

    limit: Annotated[int, Field(ge=1, le=100), WHOLE] = 20


class SlowDocument(TypedDict):
    """A job, and for how many `seconds` its last attempt has run, or ran."""

    job: str
    queue: str
    task: str
    state: str
    worker: str | None
    started_at: str
    seconds: float


class SlowList(TypedDict):
    """What is `running`, as workers told it with their last beats, and what has `finished` in the last hour, the
    longest first, also where no record of it is kept. So many were `looked_at`; `complete` says whether none that ran
    longer can be missing: where workers count nothing, the latest records of each queue are all that is known."""

    running: list[SlowDocument]
    finished: list[SlowDocument]
    looked_at: int
    complete: bool


async def index(site: Site, asked: Asked[SlowQuery, None]) -> dict[str, Any]:
    """Of all queues."""
    limit = asked.query.limit
    return (await site.lately.told(("slow", limit), FRESH, lambda: site.engine.slow(limit=limit))).asdict()


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/slow", handler=index, scope=Scope.READ, query=SlowQuery,
        summary="the jobs that run longest now, and those that ran longest in the last hour",
        answers=(Success(200, "The jobs", SlowList),), problems=OUTAGES,
    ),
)  # fmt: skip
