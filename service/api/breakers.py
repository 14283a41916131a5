"""Circuit breakers of a queue: whether they are open, and the way to open and close them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import CircuitBreaker, InvalidLimit, UsageError

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import KnownGroup, Request
from ..http.route import Asked, Route, Success
from ..site import Site
from .groups import GroupPauseRequest
from .queues import PATH, QUEUE_NOT_FOUND, PauseDocument, known_queue


class BreakerDocument(TypedDict):
    """A breaker as it is now: of all jobs of the ``queue``, of ``task:<name>`` or of ``group:<name>``. ``failed`` of
    the attempts have failed that ``ended`` within its window; it opens by itself as ``breaker`` says."""

    scope: str
    state: Literal["closed", "open", "half-open"]
    breaker: str | None
    failed: int
    ended: int
    pause: PauseDocument | None


class BreakerList(TypedDict):
    """Breakers that are open, or of which something is said alone."""

    data: list[BreakerDocument]


class BreakerQuery(Request):
    """Whose breaker it is: that of a task, of a group, or of all jobs."""

    task: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    group: KnownGroup = None


async def _one(site: Site, asked: Asked[BreakerQuery, Any]) -> CircuitBreaker:
    queue = await known_queue(site.engine, asked.request)
    return queue.breaker(task=asked.query.task, group=asked.query.group)


async def index(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Those that are open, and those that are told."""
    queue = await known_queue(site.engine, asked.request)
    return {"data": [each.asdict() for each in await queue.breakers()]}


async def show(site: Site, asked: Asked[BreakerQuery, None]) -> dict[str, Any]:
    """One of them, whatever is said of it."""
    return (await (await _one(site, asked)).status()).asdict()


async def open_(site: Site, asked: Asked[BreakerQuery, GroupPauseRequest]) -> dict[str, Any]:
    """It as it is now."""
    of, body = await _one(site, asked), asked.body
    return (await of.open(body.reason, until=body.until, by=body.by)).asdict()


async def close(site: Site, asked: Asked[BreakerQuery, None]) -> dict[str, Any]:
    """It as it is now, whether it was open or not."""
    of = await _one(site, asked)
    await of.close()
    return (await of.status()).asdict()


_ALL: Final = PATH + "/{queue}/breakers"
_ONE: Final = PATH + "/{queue}/breaker"
_NOW: Final = (Success(200, "The breaker as it is now", BreakerDocument),)
_PROBLEMS: Final = (QUEUE_NOT_FOUND, OF_ENGINE[InvalidLimit], OF_ENGINE[UsageError], *OUTAGES)

ROUTES: Final = (
    Route(
        method="GET", path=_ALL, handler=index, scope=Scope.READ,
        summary="the circuit breakers of a queue that are open, and those that are told",
        answers=(Success(200, "The breakers", BreakerList),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="GET", path=_ONE, handler=show, scope=Scope.READ, query=BreakerQuery,
        summary="whether a breaker is open, and how many attempts have failed of late", answers=_NOW,
        problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_ONE + "/open", handler=open_, scope=Scope.ADMIN, query=BreakerQuery,
        body=GroupPauseRequest, body_may_be_empty=True, summary="hold the jobs of a task, of a group, or of a queue",
        answers=_NOW, problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_ONE + "/close", handler=close, scope=Scope.ADMIN, query=BreakerQuery, any_type=True,
        summary="let the jobs of a breaker start, whatever has failed", answers=_NOW, problems=_PROBLEMS,
    ),
)  # fmt: skip
