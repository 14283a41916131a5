"""Every page of the dashboard, and a service in which there is something of everything to be shown on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import pytest
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

if TYPE_CHECKING:
    from streamq import App, Worker

    from .conftest import Service

LONG = {"to": "+15550100", "message": "x" * 1600, "workspaceId": "w" * 256}
PAGES = (
    "", "queues", "queues/work", "queues/work/jobs", "queues/work/jobs?state=failed&columns=a", "queues/work/groups",
    "queues/work/groups/g", "failures", "slow", "schedules", "schedules/nightly", "workers", "workspaces", "messaging",
    "messaging/sms", "messaging/email", "messaging/ai", "messaging/unknown", "messaging/opt-outs", "activity",
    "activity?part=audit", "activity?part=live", "capacity", "messaging/inbox", "new?task=work",
)  # fmt: skip
LIVE = "document.querySelector('#freshness[data-tone=good]')"
"""Whether the page hears of every change."""
SHOWN = "document.querySelector('main h1') && document.getElementById('main').ariaBusy === 'false'"
"""Whether all that a page asks for is there."""


@pytest.fixture
async def busy(
    settings: Callable[..., ServiceSettings],
    sandbox: Service,
    start: Callable[..., AbstractAsyncContextManager[Service]],
    work: Callable[[App], AbstractAsyncContextManager[Worker]],
) -> AsyncIterator[Service]:
    """A service in which there is something of everything."""
    given = settings(
        sms_api_url=sandbox.url, email_api_url=sandbox.url, ai_api_url="simulated", feed_interval=0.1
    )
    app = messaging_app(given)

    @app.schedule(cron="0 6 * * *", name="nightly", payload={"a": 1})
    @app.task(name="work", queue="work", attempts=1)
    async def divide(given: dict[str, int]) -> int:
        return 1 // given["a"]

    async with start(given, app) as service:
        await service.post("/api/v1/messages/sms", LONG)
        await service.engine.enqueue("work", "work", {"a": 0, "b" * 64: 1}, group="g")
        async with work(service.engine):
            await service.engine.enqueue("work", "work", {"a": 1}, delay=600)
            await (await service.engine.enqueue("work", "work", {"a": 2})).result(10)
        await service.engine.enqueue("work", "work", {"a": 3}, group="g")
        yield service
