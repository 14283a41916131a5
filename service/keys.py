"""What handlers find in the application, by typed keys."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from streamq import App

from .auth import Check
from .dashboard.feed import Feed
from .settings import ServiceSettings

ACCESS: Final[web.AppKey[Check]] = web.AppKey("access")
ENGINE: Final = web.AppKey("engine", App)
SETTINGS: Final = web.AppKey("settings", ServiceSettings)
FEED: Final = web.AppKey("feed", Feed)
