"""What the handlers of the API find: made once, when the application is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from streamq import App

from .dashboard.feed import Feed
from .http.auth import Scope
from .http.openapi import Description
from .lately import Lately
from .messaging.workspaces import WorkspaceNames
from .readiness import Readiness
from .room import Room
from .sandbox.ledger import Ledger
from .settings import ServiceSettings

SITE: Final[web.AppKey[Site]] = web.AppKey("site")
"""Where an application keeps its own."""


@dataclass(frozen=True, slots=True)
class Site:
    """The engine, and what requests share.

    ``may_read`` tells whether a caller may look at jobs, ``scope_of`` what one may do who may, and ``actor_of`` how the
    audit trail names one; ``still_holds`` whether a stream that is open may go on. ``inbox`` is what the sandbox
    inside took, where there is one.
    """

    engine: App
    settings: ServiceSettings
    feed: Feed
    readiness: Readiness
    room: Room
    workspace_names: WorkspaceNames
    described: Description
    lately: Lately
    may_read: Callable[[web.Request], bool]
    scope_of: Callable[[web.Request], Scope]
    actor_of: Callable[[bytes], str]
    still_holds: Callable[[web.Request], bool]
    inbox: Ledger | None = None
