"""Why a job does not run now."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.route import Asked, Route, Success
from ..site import Site
from .jobs import JOB, JOB_NOT_FOUND
from .queues import QUEUE_NOT_FOUND, known_queue


class ExplanationDocument(TypedDict):
    """The reason as a sentence, and as a `code` that stays.

    `ahead` and `seconds` are told of a job that waits in line: about how many others are before it, and in about how
    many seconds it starts.
    """

    code: str
    text: str
    until: str | None
    since: str | None
    by: str | None
    ahead: int | None
    seconds: float | None


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """As it is at this moment."""
    queue = await known_queue(site.engine, asked.request)
    return (await queue.why(asked.request.match_info["id"])).asdict()


ROUTES: Final = (
    Route(
        method="GET", path=JOB + "/why", handler=show, scope=Scope.READ,
        summary="why a job does not run now, as a sentence with a code",
        answers=(Success(200, "The reason", ExplanationDocument),),
        problems=(QUEUE_NOT_FOUND, JOB_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
