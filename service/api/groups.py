"""Groups of a queue: what waits and runs of each, its limit, and its pause."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import OPTIONS, Group, InvalidLimit, UsageError

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import WHOLE, Most, Request, of_option
from ..http.route import Asked, Route, Success
from ..site import Site
from .changes import Line
from .queues import PATH, QUEUE_NOT_FOUND, PauseDocument, known_queue


class LimitDocument(TypedDict, total=False):
    """The parts of a limit that hold; a ``rate`` is written as ``10/s``, a ``breaker`` as ``50%/1m``."""

    concurrency: int | str
    rate: str
    weight: float
    max_waiting: int | str
    order: str
    breaker: str


class GroupDocument(TypedDict):
    """A group as it is now. ``own_limit`` is what was told of it alone; ``used`` are its starts in the ``window`` of
    its rate, which is seconds, and ``age`` is for how many seconds its ``oldest`` job has waited."""

    name: str
    waiting: int
    active: int
    limit: LimitDocument
    own_limit: LimitDocument
    used: int
    window: float | None
    paused: PauseDocument | None
    oldest: str | None
    age: float


class GroupList(TypedDict):
    """Groups of which jobs wait."""

    data: list[GroupDocument]


class Limited(TypedDict):
    """The name of a group, or ``*`` and ``*:*`` for all of a level, and what is told of its limit."""

    name: str
    own_limit: LimitDocument


class GroupsQuery(Request):
    """Those with most waiting jobs first, or those first whose jobs have waited longest."""

    order: Literal["busiest", "longest"] = "busiest"
    limit: Annotated[int, Field(ge=1, le=200), WHOLE] = 50


class LimitRequest(Request):
    """The limit of a group, in full: what is left out, or null, goes back to what is said of every group.

    ``rate`` is so many starts in any time so long, such as ``10/s`` or ``100/5m``. ``unlimited`` lifts a part that is
    said of every group. A ``breaker`` closes the gate for a while when so many fail, such as ``50%/1m``.
    """

    concurrency: Most = None
    rate: str | None = None
    weight: float | None = None
    max_waiting: Most = None
    order: Literal["strict", "pass"] | None = None
    breaker: str | None = None


class GroupPauseRequest(Request):
    """Why, until when and by whom a group is paused. Without ``until`` somebody must resume."""

    reason: Line = ""
    until: of_option(OPTIONS["expires"]) = None  # type: ignore[valid-type]
    by: Line = ""


async def _group(site: Site, asked: Asked[Any, Any]) -> Group:
    queue = await known_queue(site.engine, asked.request)
    return queue.group(asked.request.match_info["group"])


async def index(site: Site, asked: Asked[GroupsQuery, None]) -> dict[str, Any]:
    """Some of those of which jobs wait."""
    queue = await known_queue(site.engine, asked.request)
    found = await queue.groups(order=asked.query.order, limit=asked.query.limit)
    return {"data": [group.asdict() for group in found]}


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """One of them, also where nothing of it waits."""
    return (await (await _group(site, asked)).status()).asdict()


async def put(site: Site, asked: Asked[None, LimitRequest]) -> dict[str, Any]:
    """What is told of it now."""
    group = await _group(site, asked)
    told = await group.limit(**asked.body.model_dump())
    return {"name": group.name, "own_limit": told.asdict()}


async def delete(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Nothing is told of it any more."""
    group = await _group(site, asked)
    await group.unlimit()
    return {"name": group.name, "own_limit": {}}


async def pause(site: Site, asked: Asked[None, GroupPauseRequest]) -> dict[str, Any]:
    """The group as it is now."""
    group, body = await _group(site, asked), asked.body
    await group.pause(body.reason, until=body.until, by=body.by)
    return (await group.status()).asdict()


async def resume(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """The group as it is now, whether it was paused or not."""
    group = await _group(site, asked)
    await group.resume()
    return (await group.status()).asdict()


_GROUPS: Final = PATH + "/{queue}/groups"
_ONE: Final = _GROUPS + "/{group}"
_PROBLEMS: Final = (QUEUE_NOT_FOUND, OF_ENGINE[InvalidLimit], OF_ENGINE[UsageError], *OUTAGES)

ROUTES: Final = (
    Route(
        method="GET", path=_GROUPS, handler=index, scope=Scope.READ, query=GroupsQuery,
        summary="the groups of a queue of which jobs wait: the busiest, or those that have waited longest",
        answers=(Success(200, "The groups", GroupList),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="GET", path=_ONE, handler=show, scope=Scope.READ,
        summary="how many jobs of a group wait and are active, its limit and how much of it is used, and its pause",
        answers=(Success(200, "The group", GroupDocument),), problems=_PROBLEMS,
    ),
    Route(
        method="PUT", path=_ONE, handler=put, scope=Scope.ADMIN, body=LimitRequest,
        summary="limit a group, at once and for what waits, too; `*` is every tenant, `*:*` every part of one",
        answers=(Success(200, "What is told of it now", Limited),), problems=_PROBLEMS,
    ),
    Route(
        method="DELETE", path=_ONE, handler=delete, scope=Scope.ADMIN, any_type=True,
        summary="take back what was told of the limit of a group: what is said of every group holds again",
        answers=(Success(200, "Nothing is told of it any more", Limited),), problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_ONE + "/pause", handler=pause, scope=Scope.ADMIN, body=GroupPauseRequest,
        body_may_be_empty=True,
        summary="start no job of a group; what runs goes on",
        answers=(Success(200, "The group as it is now", GroupDocument),), problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_ONE + "/resume", handler=resume, scope=Scope.ADMIN, any_type=True,
        summary="end the pause of a group",
        answers=(Success(200, "The group as it is now", GroupDocument),), problems=_PROBLEMS,
    ),
)  # fmt: skip
