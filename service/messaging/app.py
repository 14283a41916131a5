"""The app that workers run when no other is named: ``streamq_service.messaging.app:app``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streamq import App

from ..settings import ServiceSettings
from . import sms
from .provider import PROVIDER, SmsProvider


def messaging_app(settings: ServiceSettings) -> App:
    """An app with every messaging task; its workers open the providers and close them at their end."""

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        async with SmsProvider(settings) as provider:
            app.state[PROVIDER] = provider
            yield

    app = App(settings, lifespan=lifespan)
    sms.register(app, settings)
    return app


app = messaging_app(ServiceSettings())
