"""The queue server: whether jobs are safe on it, how much room it has, and what is wrong with it and what it keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final, Literal, TypeVar

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Unavailable

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.route import Asked, Route, Success
from ..site import Site
from .troubles import Trouble, troubles

T = TypeVar("T")

FRESH: Final = 10.0
"""Seconds for which it is told again: its settings change by hand."""
KEYS_FRESH: Final = 60.0
"""The same of the types of keys: some dozen of each queue are looked at."""


class ServerDocument(TypedDict):
    """The server; null is what it does not tell. Of a cluster `memory` and its limit are those of the node that is
    fullest, `memory_of_all` is what all `nodes` use, and the rest is what is worst of any. `memory` is in bytes, its
    limit 0 where it has none; `memory_hours` is for how long it lasts if it grows on as it did, null where that is
    not known. Unless `eviction_policy` is `noeviction`, a full server removes jobs. `persistence` tells whether the
    append-only file is `on`, `failing` (it cannot be written) or `off`, where a restart loses jobs. `clock_apart` is
    by how many seconds its clock is ahead of the service's. `troubles` says in words what is wrong with all that,
    with keys of somebody else, what workers note, and which operations were stopped: the worst first."""

    memory: int
    memory_limit: int
    memory_hours: float | None
    eviction_policy: str | None
    persistence: Literal["on", "failing", "off"] | None
    role: str | None
    clock_apart: float | None
    memory_of_all: int
    nodes: int
    troubles: list[Trouble]


async def show(site: Site, _asked: Asked[None, None]) -> ServerDocument:
    """Asked once for all who ask within 10 s."""
    return await site.lately.told("server", FRESH, partial(_found, site))


async def _found(site: Site) -> ServerDocument:
    state, keys, workers, operations = await asyncio.gather(
        site.room.state(), site.lately.told("keys", KEYS_FRESH, partial(_misplaced, site.engine)),
        _allowed(site.engine.workers()), _allowed(site.engine.operations()),
    )  # fmt: skip
    hours = site.room.hours_left(state)
    told: Any = {
        **state.asdict(), "memory_hours": None if hours is None else round(hours, 2),
        "troubles": troubles(state, hours, keys, workers, operations),
    }  # fmt: skip
    document: ServerDocument = told
    return document


async def _misplaced(app: App) -> Any:
    return await _allowed(app.misplaced_keys())


async def _allowed(look: Awaitable[list[T]]) -> list[T]:
    """Nothing where the server refuses that, or a node of several is lost: what is wrong with the rest is said all the
    same."""
    try:
        return await look
    except Unavailable:
        return []


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/server", handler=show, scope=Scope.READ,
        summary="how the queue server keeps jobs, its room, and what is wrong with it, as of the last 10 seconds",
        answers=(Success(200, "The server", ServerDocument),), problems=OUTAGES,
    ),
)  # fmt: skip
