"""What messages came to, by channel, provider and workspace, with the ids that programs use and names for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from streamq_service.messaging.figures import figures_of
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from .conftest import Service, running, working
from .test_messages import GOOD, behave

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
SMS = "/api/v1/messages/sms"


async def stats(service: Service, by: str, more: str = "") -> Any:
    await service.engine.state["figures"]._send()
    status, _, document = await service.get(f"/api/v1/stats?by={by}{more}")
    assert status == 200
    return document


async def test_messages_are_counted_by_channel_and_workspace_whose_ids_keep_their_type(
    settings: Make, sandbox: Service
) -> None:
    names = orjson.dumps({"66338": "Pizza Ada", "odd": 7}).decode()
    given = settings(sms_api_url=sandbox.url, email_api_url=sandbox.url, workspace_names=names)
    async with running(given) as service, working(service.engine):
        for workspace in (66338, 66338, "66338", "acme", 1.5):
            await service.post(SMS, {**GOOD, "workspaceId": workspace}, Prefer="wait=10")
        mail = {"to": "ada@example.com", "subject": "Hi", "html": "x", "workspaceId": 66338}
        await service.post("/api/v1/messages/email", mail, Prefer="wait=10")
        found = await stats(service, "channel,workspace")
        whole = await stats(service, "channel")
        alone = await stats(service, "workspace")
    rows = {
        (row["channel"], repr(row["workspace_id"])): (row["name"], row["counts"]["sent"])
        for row in found["data"]
    }
    assert rows == {
        ("sms", "66338"): ("Pizza Ada", 2), ("sms", "'66338'"): ("Pizza Ada", 1), ("sms", "'acme'"): ("acme", 1),
        ("sms", "1.5"): ("1.5", 1), ("email", "66338"): ("Pizza Ada", 1),
    }  # fmt: skip
    assert [(row["channel"], row["counts"]["accepted"], row["counts"]["sent"]) for row in whole["data"]] == [
        ("sms", 5, 5), ("email", 1, 1),
    ]  # fmt: skip
    assert next(row["counts"]["sent"] for row in alone["data"] if row["workspace_id"] == 66338) == 3
    assert sum(point["counts"]["sent"] for point in whole["points"]) == 6
    assert all(whole["data"][0]["times"][name]["p50"] is not None for name in ("queue", "send"))


async def test_immediate_and_scheduled_messages_count_alike(service: Service) -> None:
    async with working(service.engine):
        for delay in (0, 0.2):
            await service.post(SMS, {**GOOD, "delay": delay}, Prefer="wait=10")
        found = await stats(service, "channel")
    counts = found["data"][0]["counts"]
    assert (counts["accepted"], counts["sent"]) == (2, 2)


async def test_what_failed_and_what_was_tried_again_is_counted_by_provider(
    service: Service, sandbox: Service
) -> None:
    async with working(service.engine):
        await behave(sandbox, mode="fail", count=2)
        await service.post(SMS, GOOD, Prefer="wait=20")
        await behave(sandbox, mode="reject", count=1)
        await service.post(SMS, GOOD, Prefer="wait=20")
        (row,) = (await stats(service, "provider"))["data"]
        (whole,) = (await stats(service, "channel"))["data"]
    counts = row["counts"]
    assert (counts["sent"], counts["retried"], counts["failed"]) == (1, 2, 1)
    counts = whole["counts"]
    assert (counts["sent"], counts["retried"], counts["failed"]) == (1, 2, 1)


async def test_series_are_by_minute_for_a_day_and_by_hour_for_ninety_days(service: Service) -> None:
    async with working(service.engine):
        await service.post(SMS, GOOD, Prefer="wait=10")
        day = await stats(service, "channel", "&since=24h&step=1m")
        quarter = await stats(service, "channel", "&since=89d&step=1h")
    assert (day["step"], len(day["points"])) == (60, 1441)
    assert (quarter["step"], len(quarter["points"])) == (3600, 24 * 89 + 1)
    for found in (day, quarter):
        assert sum(point["counts"]["sent"] for point in found["points"]) == 1
    for wrong in ("by=color", "by=channel&since=100d&step=1m", "by=channel&step=7s", "by=provider,workspace"):
        assert (await service.get(f"/api/v1/stats?{wrong}"))[0] == 422


async def test_more_workspaces_than_are_told_apart_are_added_up(service: Service) -> None:
    figures = figures_of(service.engine)
    for number in range(300):
        figures.count("sms", number, "sent")
    found = await stats(service, "workspace")
    assert sum(row["counts"]["sent"] for row in found["data"]) == 300
    assert found["data"][0]["channel"] == "*"


@pytest.mark.parametrize("workspace", ["x" * 256, "a b", "🎉", "*", '"', 2**53 - 1, 0.1], ids=repr)
async def test_odd_workspaces_are_counted_and_shown(service: Service, workspace: Any) -> None:
    async with working(service.engine):
        status, _, job = await service.post(SMS, {**GOOD, "workspaceId": workspace}, Prefer="wait=10")
        assert (status, job["state"]) == (200, "completed")
        (row,) = (await stats(service, "workspace"))["data"]
    assert row["counts"]["sent"] == 1
    assert str(row["workspace_id"])[:5] == str(workspace)[:5]
