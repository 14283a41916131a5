"""A contact is erased everywhere: jobs in every state, what it said to a model, and what is counted of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .conftest import Service, running, working
from .test_messages import GOOD

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
SMS = "/api/v1/messages/sms"


async def erase(service: Service, **whom: str) -> Any:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in whom.items())
    return await service.send("DELETE", f"/api/v1/contacts?{query}")


async def test_nothing_of_a_contact_is_left_and_all_of_the_others(
    settings: Make, sandbox: Service, shared_server: Server, prefix: str
) -> None:
    given = settings(
        sms_api_url=sandbox.url, email_api_url=sandbox.url, ai_api_url="simulated", callback_private=True,
        recipient_cap=9,
    )  # fmt: skip
    async with running(given) as service:
        whose = {"workspaceId": 66338, "contactId": 'c "9" 🎉'}
        async with working(service.engine):
            for more in (
                whose,
                {**whose, "workspaceId": "66338"},
                {"workspaceId": 66338, "contactId": "c-8"},
            ):
                await service.post(SMS, {**GOOD, **more}, Prefer="wait=10")
            reply = {
                "workspace_id": 66338, "contact_id": whose["contactId"], "message_id": "m-1", "message_text": "Hi",
                "callback_url": sandbox.url + "/send-sms",
            }  # fmt: skip
            await service.post("/api/v1/messages/ai", reply, Prefer="wait=10")
            await service.post(SMS, {**GOOD, **whose, "delay": 60})
            mail = {"to": ["bob@example.com"], "subject": "Hi", "html": "x", **whose}
            await service.post("/api/v1/messages/email", mail, Prefer="wait=10")
        await service.post(SMS, {**GOOD, **whose})
        assert await service.jobs() == 7
        status, _, said = await erase(service, workspaceId="66338", contactId=str(whose["contactId"]))
        assert (status, said) == (200, {"jobs": 6, "records": 2, "left": False})
        assert await service.jobs() == 1
        with shared_server.client(decode_responses=False) as client:
            kept = [k for k in client.keys(f"{prefix}*") if "🎉".encode() in (client.dump(k) or b"")]
        assert kept == [], "no trail and no operation says whom it was about"
        assert (await erase(service, workspaceId="66338", contactId="c-8"))[2]["jobs"] == 1
        assert (await erase(service, workspaceId="66338", contactId="c-8"))[2]["jobs"] == 0


async def test_a_number_or_an_address_is_erased_whoever_it_is_of(settings: Make, sandbox: Service) -> None:
    given = settings(sms_api_url=sandbox.url, email_api_url=sandbox.url, recipient_cap=9)
    async with running(given) as service, working(service.engine):
        for to in ("+15550100", "+15550101"):
            await service.post(SMS, {**GOOD, "to": to}, Prefer="wait=10")
        for mail in (["ada@example.com"], ["xada@example.com"], ["bob@example.com", "ada@example.com"]):
            body = {"to": mail, "subject": "Hi", "html": "x", "workspaceId": 1}
            await service.post("/api/v1/messages/email", body, Prefer="wait=10")
        assert (await erase(service, address="+1 555-0100"))[2] == {"jobs": 1, "records": 1, "left": False}
        assert (await erase(service, address="ADA@Example.com"))[2]["jobs"] == 2
        assert await service.jobs() == 2


async def test_whoever_names_nobody_erases_nothing(service: Service) -> None:
    for wrong in ({}, {"workspaceId": "66338"}, {"contactId": "c-9"}, {"address": ""}):
        assert (await erase(service, **wrong))[0] == 422
