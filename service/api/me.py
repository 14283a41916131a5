"""Who asks: what the key of a caller allows, so that a client offers nothing that is refused."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.narrowed import by_its_handler
from ..http.route import Asked, Route, Success
from ..site import Site
from .capacity import has_planner


class MeDocument(TypedDict):
    """A caller: its `scope`, the highest that it has, its name in the audit trail, and the `queues` that its key is
    for, none where it is for all. `offers` names what not every service has: `capacity` where a planner is installed,
    `inbox` where a sandbox runs inside.

    Without API keys whoever may ask may do everything.
    """

    scope: str
    actor: str
    queues: list[str]
    offers: list[str]


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Of whoever asks."""
    offers = {"capacity": has_planner(), "inbox": site.inbox is not None}
    return {
        "scope": site.scope_of(asked.request).name.lower(),
        "actor": site.actor_of(asked.caller),
        "queues": sorted(asked.queues or ()),
        "offers": [name for name, is_there in offers.items() if is_there],
    }


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/me", handler=show, scope=Scope.READ, narrowed=by_its_handler,
        summary="what the key of the caller allows",
        answers=(Success(200, "The caller", MeDocument),),
    ),
)  # fmt: skip
