"""The messaging product: its app, its tasks and the providers they call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streamq import App

from ..settings import ServiceSettings
from . import sms
from .provider import PROVIDER, SmsProvider


def messaging_app(settings: ServiceSettings) -> App:
    """An app with every messaging task; its workers open the providers and close them at their end."""
    app = App(settings, lifespan=_providers)
    sms.register(app, settings)
    return app


@asynccontextmanager
async def _providers(app: App) -> AsyncIterator[None]:
    settings = app.settings if isinstance(app.settings, ServiceSettings) else ServiceSettings.load()
    async with SmsProvider(settings, app.notes) as provider:
        app.state[PROVIDER] = provider
        yield


def __getattr__(name: str) -> App:
    """``app``: what workers run by default. It is made at the first access, so that an import reads no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = messaging_app(ServiceSettings.load())
    globals()["app"] = made
    return made
