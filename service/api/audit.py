"""The audit trail: who did what to queues, jobs and schedules."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import UsageError

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.inputs import WHOLE, Request
from ..http.problems import Problem
from ..http.route import Asked, Route, Success
from ..site import Site
from .jobs import BAD_CURSOR, Following


class AuditQuery(Request):
    """Which acts to list: of one ``queue``, or of all, with the removal of queues."""

    queue: Annotated[str | None, Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] = None
    limit: Annotated[int, Field(ge=1, le=1_000), WHOLE] = 50
    cursor: str | None = Field(default=None, max_length=200)


class AuditDocument(TypedDict):
    """An act: ``actor`` is the API key by the first eight digits of its SHA-256 or by its name and id, ``proxy:`` and
    whom a trusted proxy has named, or who was named in Python or on the command line. ``subject`` is the id of a job,
    of an operation or of a key, or the name of a schedule or a task."""

    id: str
    at: str
    actor: str
    action: str
    queue: str
    subject: str
    details: dict[str, Any]


class AuditList(TypedDict):
    """A page of acts, the latest first."""

    data: list[AuditDocument]
    page: Following


async def index(site: Site, asked: Asked[AuditQuery, None]) -> dict[str, Any]:
    """Each queue keeps its latest thousand."""
    query = asked.query
    try:
        page = await site.engine.audit(query.queue, limit=query.limit, cursor=query.cursor)
    except UsageError as error:
        raise Problem(BAD_CURSOR, str(error)) from None
    return {"data": [each.asdict() for each in page.items], "page": {"next": page.next}}


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/audit", handler=index, scope=Scope.READ, query=AuditQuery,
        summary="who did what to queues, jobs and schedules, the latest first",
        answers=(Success(200, "A page of acts", AuditList),), problems=(BAD_CURSOR, *OUTAGES),
    ),
)  # fmt: skip
