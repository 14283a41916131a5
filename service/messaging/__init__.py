"""The messaging product: its app, its tasks and the providers they call."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from streamq import App

from ..intake.intake import opened as intake
from ..settings import ServiceSettings
from ..traces import switch_on
from . import ai, email, rows, sms
from .allowed import ALLOWED, Allowed
from .channel import Channel
from .checked import check_settings
from .delivery import Deliveries
from .figures import figures_of
from .strays import Strays

log = logging.getLogger("streamq.messaging")

CHANNELS: Final[tuple[Channel, ...]] = (sms.CHANNEL, email.CHANNEL, ai.CHANNEL)
"""All channels: whoever starts, shows, counts or drains any goes through this."""


def messaging_app(settings: ServiceSettings) -> App:
    """An app with all channels; its workers open what these need, and close it when their jobs have ended.

    Raises ``ConfigurationError``.
    """
    check_settings(settings)
    app = App(settings, lifespan=_opened)
    for channel in CHANNELS:
        channel.declare(app, settings)
    switch_on(app, settings)
    return app


@asynccontextmanager
async def _opened(app: App) -> AsyncIterator[None]:
    settings = app.settings if isinstance(app.settings, ServiceSettings) else ServiceSettings.load()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(figures_of(app).sending())
        app.state[ALLOWED] = Allowed(app, settings)
        for channel in CHANNELS:
            await stack.enter_async_context(channel.opened(app, settings))
            log.info(channel.line(settings))
        strays = Strays(
            app, (sms.CHANNEL, email.CHANNEL), Deliveries(app, reports=sms.reports_come(settings))
        )
        await stack.enter_async_context(strays.sought())
        await stack.enter_async_context(intake(app, settings, rows.tables(settings)))
        yield


def __getattr__(name: str) -> App:
    """``app``: what workers run by default. It is made at the first access, so that an import reads no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = messaging_app(ServiceSettings.load())
    globals()["app"] = made
    return made
