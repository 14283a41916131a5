"""The inbox of the sandbox inside: what it was sent, where `streamq up --demo` runs one."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.inputs import WHOLE, Request
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..site import Site

NO_SANDBOX: Final = ProblemType(404, "no-sandbox", "no sandbox runs inside: `streamq up --demo` has one")


class InboxQuery(Request):
    """How many calls to show."""

    limit: Annotated[int, Field(ge=1, le=1_000), WHOLE] = 50


class CallDocument(TypedDict):
    """A call as the sandbox took it. `repeat` counts the calls under the same key before, `status` is its answer."""

    id: str
    idempotency_key: str | None
    repeat: int
    status: int
    received_at: str
    body: Any


class Inbox(TypedDict):
    """The latest calls, the latest first, and totals of all."""

    totals: dict[str, Any]
    data: list[CallDocument]


async def index(site: Site, asked: Asked[InboxQuery, None]) -> dict[str, Any]:
    """As they came."""
    if site.inbox is None:
        raise Problem(NO_SANDBOX, "No sandbox runs inside this service: `streamq up --demo` has one.")
    return site.inbox.latest(asked.query.limit)


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/inbox", handler=index, scope=Scope.READ, query=InboxQuery,
        summary="what the sandbox inside was sent, the latest first",
        answers=(Success(200, "The latest calls", Inbox),), problems=(NO_SANDBOX,),
    ),
)  # fmt: skip
