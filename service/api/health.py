"""Health: is the process alive, and can it work."""

from __future__ import annotations

import logging
from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import StreamqError

from ..http.failures import OUTAGES, come_back
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Callers, Route, Success
from ..site import Site

log = logging.getLogger("streamq.api")


class Health(TypedDict):
    """That it is well, and to readers how fast the server answered."""

    status: Literal["ok"]
    server_ms: NotRequired[float]


async def live(_site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Asks nobody else."""
    return {"status": "ok"}


async def ready(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Why not, and how fast, only to who may read."""
    may_read = site.may_read(asked.request)
    try:
        seconds = await site.readiness.seconds()
    except StreamqError as error:
        if may_read:
            raise
        log.debug("not ready: %s", error)
        kind = ProblemType(503, error.code, "")
        raise Problem(kind, "The service is not ready.", headers=come_back(error)) from None
    return {"status": "ok", **({"server_ms": round(seconds * 1000, 2)} if may_read else {})}


ROUTES: Final = (
    Route(
        method="GET", path="/health", handler=live, scope=None, without_keys=Callers.ANYONE,
        summary="this process answers. Asks nobody else",
        answers=(Success(200, "It answers", Health),),
    ),
    Route(
        method="GET", path="/ready", handler=ready, scope=None, without_keys=Callers.ANYONE,
        summary="the server answers within 2 s; 503 otherwise. Why not, and how fast, only to who may read",
        answers=(Success(200, "The server answers", Health),), problems=OUTAGES,
    ),
)  # fmt: skip
