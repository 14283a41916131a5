"""The queue server: whether jobs are safe on it, and how much room it has."""

from __future__ import annotations

from typing import Any, Final, Literal

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.route import Asked, Route, Success
from ..site import Site

FRESH: Final = 10.0
"""Seconds for which it is told again: its settings change by hand."""


class ServerDocument(TypedDict):
    """The server of the lists of queues and workers; null is what it does not tell. `memory` is in bytes, its limit 0
    where it has none. Unless `eviction_policy` is `noeviction`, a full server removes jobs. `persistence` tells whether
    the append-only file is `on`, `failing` (it cannot be written) or `off`, where a restart loses jobs."""

    memory: int
    memory_limit: int
    eviction_policy: str | None
    persistence: Literal["on", "failing", "off"] | None
    role: str | None


async def show(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Asked once for all who ask within 10 s."""
    return (await site.lately.told("server", FRESH, site.engine.server)).asdict()


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/server", handler=show, scope=Scope.READ,
        summary="how the queue server keeps jobs, and how much room it has, as of the last 10 seconds",
        answers=(Success(200, "The server", ServerDocument),), problems=OUTAGES,
    ),
)  # fmt: skip
