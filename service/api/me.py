"""Who asks: what the key of a caller allows, so that a client offers nothing that is refused."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.route import Asked, Route, Success
from ..site import Site


class MeDocument(TypedDict):
    """A caller: its `scope`, the highest that it has, and its name in the audit trail.

    Without API keys whoever may ask may do everything.
    """

    scope: str
    actor: str


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Of whoever asks."""
    return {"scope": site.scope_of(asked.request).name.lower(), "actor": site.actor_of(asked.caller)}


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/me", handler=show, scope=Scope.READ,
        summary="what the key of the caller allows",
        answers=(Success(200, "The caller", MeDocument),),
    ),
)  # fmt: skip
