"""Limits of workspaces, of their contacts and of channels hold for all channels, by the environment and by the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working
from .test_messages import GOOD, behave, calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
SMS = "/api/v1/messages/sms"
QUEUE = "/api/v1/queues/send-sms-queue"


async def send_many(service: Service, count: int, **more: Any) -> None:
    answers = await asyncio.gather(*[service.post(SMS, {**GOOD, **more}) for _ in range(count)])
    assert {status for status, _, _ in answers} == {201}


async def most_at_once(service: Service, count: int) -> int:
    """How many messages were active at once at most, until all are completed."""
    most = 0

    async def look() -> bool:
        nonlocal most
        counts = (await service.get(QUEUE))[2]["counts"]
        most = max(most, counts["active"])
        return bool(counts["completed"] == count)

    await until(look, 30)
    return most


async def test_the_environment_limits_each_workspace_and_lets_others_pass(
    settings: Make, sandbox: Service
) -> None:
    await behave(sandbox, mode="slow", delay_ms=60)
    made = settings(sms_api_url=sandbox.url, workspace_concurrency=2)
    async with running(made) as service:
        await send_many(service, 12, workspaceId=1)
        async with working(service.engine):
            assert await most_at_once(service, 12) == 2
            await send_many(service, 6, workspaceId=2)
            await send_many(service, 6, workspaceId=3)
            assert await most_at_once(service, 24) == 4


@pytest.mark.parametrize("workspace", ["a b", "*", 'q"x', "back\\slash", "w" * 256, "ws:1", "50 %"])
async def test_no_workspace_escapes_its_limit_by_the_spelling_of_its_id(
    settings: Make, sandbox: Service, workspace: str
) -> None:
    await behave(sandbox, mode="slow", delay_ms=20)
    async with running(settings(sms_api_url=sandbox.url, workspace_concurrency=1)) as service:
        await send_many(service, 4, workspaceId=workspace)
        async with working(service.engine):
            assert await most_at_once(service, 4) == 1


async def test_a_contact_has_a_limit_within_its_workspace(settings: Make, sandbox: Service) -> None:
    await behave(sandbox, mode="slow", delay_ms=60)
    made = settings(sms_api_url=sandbox.url, contact_concurrency=1)
    async with running(made) as service:
        for contact in ("a", "b", "c"):
            await send_many(service, 4, contactId=contact)
        async with working(service.engine):
            assert await most_at_once(service, 12) == 3


async def test_the_api_limits_one_workspace_while_it_runs(settings: Make, sandbox: Service) -> None:
    await behave(sandbox, mode="slow", delay_ms=40)
    async with running(settings(sms_api_url=sandbox.url)) as service:
        status, _, _ = await service.send("PUT", f"{QUEUE}/groups/66338", {"concurrency": 1})
        assert status == 200
        await send_many(service, 8)
        async with working(service.engine):
            assert await most_at_once(service, 8) == 1


async def test_a_rate_holds_for_immediate_and_for_each_scheduled_message(
    settings: Make, sandbox: Service
) -> None:
    made = settings(sms_api_url=sandbox.url, workspace_rate="2/h")
    async with running(made) as service, working(service.engine):
        await send_many(service, 4)
        await send_many(service, 4, delay=0.2)

        async def sent() -> int:
            return len(await calls(sandbox))

        await until(lambda: _is_at_least(sent, 4))
        await asyncio.sleep(0.5)
        assert await sent() == 4, "two of each queue"


async def _is_at_least(count: Callable[[], Any], number: int) -> bool:
    return bool(await count() >= number)


async def test_a_busy_workspace_does_not_hold_up_another_one(settings: Make, sandbox: Service) -> None:
    await behave(sandbox, mode="slow", delay_ms=20)
    async with running(settings(sms_api_url=sandbox.url, concurrency=2)) as service:
        await send_many(service, 60, workspaceId=1)
        await send_many(service, 4, workspaceId=2)
        async with working(service.engine):
            await until(lambda: _has(sandbox, 2, 4), 30)
            assert len(await calls(sandbox)) < 30


async def _has(sandbox: Service, workspace: int, count: int) -> bool:
    return sum(call["body"]["workspaceId"] == workspace for call in await calls(sandbox)) == count
