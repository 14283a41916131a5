"""Channels: what each declares is what is started, shown, counted, limited and closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from streamq_service.messaging import CHANNELS, messaging_app
from streamq_service.settings import ServiceSettings

from streamq import App, ConfigurationError, Limit, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running
from .test_messages import calls

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}


async def test_every_task_of_the_service_is_of_a_channel_and_each_channel_is_shown_with_its_jobs(
    service: Service,
) -> None:
    assert {name for channel in CHANNELS for name in channel.tasks} == set(service.engine.tasks)
    await service.post("/api/v1/messages/sms", GOOD)
    await service.post("/api/v1/messages/sms", {**GOOD, "delay": 60})
    _, _, told = await service.get("/api/v1/channels")
    assert [channel["name"] for channel in told["data"]] == [channel.name for channel in CHANNELS]
    sms = told["data"][0]
    assert (sms["queues"], sms["tasks"]) == (
        ["send-sms-queue", "scheduled-sms-queue"],
        ["send-sms", "scheduled-sms"],
    )
    assert (sms["concurrency"], sms["rate"], sms["notes"]) == (None, None, {})
    assert (sms["counts"]["held"], sms["counts"]["delayed"], sms["counts"]["failed"]) == (1, 1, 0)


async def test_a_worker_says_in_a_line_how_each_channel_is_set_up(
    settings: Callable[..., ServiceSettings], work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "streamq.messaging"):
        async with messaging_app(settings(sms_concurrency=5, sms_rate="100/s")) as app, work(app) as worker:
            await worker.is_ready.wait()
    line = "channel sms: 5 at once, 100/s at most, queues send-sms-queue, scheduled-sms-queue"
    assert [record.message for record in caplog.records].count(line) == 1


async def test_the_limit_of_a_channel_holds_for_messages_of_now_and_of_later_together(
    settings: Callable[..., ServiceSettings], sandbox: Service, work: Work
) -> None:
    async with running(settings(sms_api_url=sandbox.url, sms_rate="4/h")) as service, work(service.engine):
        await until(lambda: _has_limit(service))
        for number in range(10):
            more = {"delay": 0.01} if number % 2 else {}
            await service.post("/api/v1/messages/sms", {**GOOD, **more})
        await until(lambda: _sent(sandbox, 4))
        await asyncio.sleep(0.3)
        assert len(await calls(sandbox)) == 4
        assert await service.engine.shared("sms").limit(rate="1000/s") == Limit(rate="1000/s")
        await until(lambda: _sent(sandbox, 10))
    with pytest.raises(ConfigurationError, match="SMS_RATE"):
        settings(sms_rate="fast")


async def _sent(sandbox: Service, count: int) -> bool:
    return len(await calls(sandbox)) >= count


async def _has_limit(service: Service) -> bool:
    _, _, told = await service.get("/api/v1/channels")
    return bool(told["data"][0]["rate"] == "4/h")


async def test_an_app_of_another_kind_has_no_channels(sums: App) -> None:
    async with running(sums.settings, sums) as service:  # type: ignore[arg-type]
        assert (await service.get("/api/v1/channels"))[2] == {"data": []}
