"""Reports: what one job tells while it runs."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.inputs import WHOLE, Request
from ..http.route import Asked, Route, Success
from ..site import Site
from .jobs import JOB, JOB_NOT_FOUND
from .queues import QUEUE_NOT_FOUND, known_queue


class LogQuery(Request):
    """Which lines of a log: those behind a number."""

    after: Annotated[int, Field(ge=0), WHOLE] = 0


class LineDocument(TypedDict):
    """A line of a job's log; ``number`` counts all that the job has written, from 1."""

    number: int
    level: str
    text: str
    at: str | None
    attempt: int


class LogDocument(TypedDict):
    """What is kept of a log, oldest line first.

    The job has ``written`` so many lines, of which the first ``dropped`` are gone.
    """

    data: list[LineDocument]
    written: int
    dropped: int


async def log(site: Site, asked: Asked[LogQuery, None]) -> dict[str, Any]:
    """A job that has written nothing has an empty one."""
    queue = await known_queue(site.engine, asked.request)
    found = await queue.logs(asked.request.match_info["id"])
    lines = [line.asdict() for line in found.lines if line.number > asked.query.after]
    return {"data": lines, "written": found.written, "dropped": found.dropped}


ROUTES: Final = (
    Route(
        method="GET", path=JOB + "/logs", handler=log, scope=Scope.READ, query=LogQuery,
        summary="what is kept of its log, oldest line first",
        answers=(Success(200, "The log", LogDocument),),
        problems=(QUEUE_NOT_FOUND, JOB_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
