"""Limits that several queues draw from: what they allow, how much is drawn, and their pauses."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import InvalidLimit, SharedLimit, SharedStatus, UsageError

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import Most, Request
from ..http.route import Asked, Route, Success
from ..site import Site
from .groups import GroupPauseRequest, LimitDocument
from .queues import PauseDocument


class SharedLimitDocument(TypedDict):
    """A shared limit as it is now. ``told_limit`` is what was told of it; ``held`` are the units of jobs that run, by
    queue in ``queues``, and ``used`` those that were started in the ``window`` of its rate, which is seconds. In the
    queues of ``waiting`` a job waits for it."""

    name: str
    limit: LimitDocument
    told_limit: LimitDocument
    held: int
    used: int
    window: float | None
    queues: dict[str, int]
    waiting: list[str]
    paused: PauseDocument | None


class SharedLimitList(TypedDict):
    """The shared limits of which anything is said."""

    data: list[SharedLimitDocument]


class SharedLimitRequest(Request):
    """A shared limit, in full: what is left out, or null, goes back to what code says.

    ``rate`` is so many units in any time so long, such as ``100/s``. ``unlimited`` lifts a part that code says.
    """

    concurrency: Most = None
    rate: str | None = None


def _one(site: Site, asked: Asked[Any, Any]) -> SharedLimit:
    return site.engine.shared(asked.request.match_info["name"])


async def _document(of: SharedLimit) -> dict[str, Any]:
    return _as_document(await of.status())


def _as_document(status: SharedStatus) -> dict[str, Any]:
    said = status.asdict()
    return {"told_limit": said.pop("told"), **said}


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """All of them."""
    return {"data": [_as_document(each) for each in await site.engine.shared_limits()]}


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """One of them."""
    return await _document(_one(site, asked))


async def put(site: Site, asked: Asked[None, SharedLimitRequest]) -> dict[str, Any]:
    """What is told of it now."""
    of = _one(site, asked)
    await of.limit(**asked.body.model_dump())
    return await _document(of)


async def delete(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Nothing is told of it any more."""
    of = _one(site, asked)
    await of.unlimit()
    return await _document(of)


async def pause(site: Site, asked: Asked[None, GroupPauseRequest]) -> dict[str, Any]:
    """It as it is now."""
    of, body = _one(site, asked), asked.body
    await of.pause(body.reason, until=body.until, by=body.by)
    return await _document(of)


async def resume(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """It as it is now, whether it was paused or not."""
    of = _one(site, asked)
    await of.resume()
    return await _document(of)


_ALL: Final = "/api/v1/shared-limits"
_ONE: Final = _ALL + "/{name}"
_NOW: Final = (Success(200, "The shared limit as it is now", SharedLimitDocument),)
_PROBLEMS: Final = (OF_ENGINE[InvalidLimit], OF_ENGINE[UsageError], *OUTAGES)

ROUTES: Final = (
    Route(
        method="GET", path=_ALL, handler=index, scope=Scope.READ, summary="the limits that several queues draw from",
        answers=(Success(200, "The shared limits", SharedLimitList),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=_ONE, handler=show, scope=Scope.READ,
        summary="what a shared limit allows, how much of it is drawn, and by which queues",
        answers=_NOW, problems=_PROBLEMS,
    ),
    Route(
        method="PUT", path=_ONE, handler=put, scope=Scope.ADMIN, body=SharedLimitRequest,
        summary="say how many units queues may hold and start together, at once", answers=_NOW, problems=_PROBLEMS,
    ),
    Route(
        method="DELETE", path=_ONE, handler=delete, scope=Scope.ADMIN, any_type=True,
        summary="take back what was told of a shared limit, and its pause", answers=_NOW, problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_ONE + "/pause", handler=pause, scope=Scope.ADMIN, body=GroupPauseRequest,
        body_may_be_empty=True, summary="start no job that draws from it, in any queue", answers=_NOW,
        problems=_PROBLEMS,
    ),
    Route(
        method="POST", path=_ONE + "/resume", handler=resume, scope=Scope.ADMIN, any_type=True,
        summary="end the pause of a shared limit", answers=_NOW, problems=_PROBLEMS,
    ),
)  # fmt: skip
