"""Who wants no messages gets none, at no hour that is quiet for them, and not too many a day."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from streamq_service.messaging.signature import key_of, signed
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working
from .test_messages import GOOD, calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
SMS, HOOK, OPT_OUTS = "/api/v1/messages/sms", "/api/v1/webhooks/sms", "/api/v1/opt-outs"
WHO = {"channel": "sms", "address": "+15550100"}


async def send(service: Service, **more: Any) -> Any:
    return (await service.post(SMS, {**GOOD, **more}, Prefer="wait=15"))[2]


async def hear(service: Service, text: str, **more: Any) -> Any:
    body = orjson.dumps({"type": "inbound", "from": "+15550100", "text": text, **more})
    key = key_of(SECRET, "reports")
    return (await service.post(HOOK, body, **signed(key, "r", body)))[2]


async def test_an_address_of_any_characters_is_one_that_can_opt_out(settings: Make) -> None:
    async with running(settings()) as service:
        for odd in ("\x1d", "\n", "\x00", "\u2028", "\U000f6239", "é", " ", "'"):
            who = {"channel": "sms", "address": f"a{odd}b"}
            for path in (OPT_OUTS, f"{OPT_OUTS}/remove"):
                status, _, said = await service.post(path, who)
                assert status in (200, 201) or said["code"] == "validation", said


@pytest.mark.parametrize("word", ["STOP", " stop. ", "Unsubscribe", "stop all", '"Quit!"'])
async def test_who_says_stop_gets_nothing_more_until_start(
    settings: Make, sandbox: Service, word: str
) -> None:
    given = settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)
    async with running(given) as service, working(service.engine):
        assert await hear(service, word) == {"result": "heard", "word": "stop"}
        job = await send(service)
        assert (job["state"], job["error"]["message"]) == (
            "failed",
            "the recipient has opted out of messages",
        )
        assert (await send(service, to="+15550101"))["state"] == "completed"
        assert (await hear(service, "Start"))["word"] == "start"
        assert (await send(service))["state"] == "completed"
    assert len(await calls(sandbox)) == 2


@pytest.mark.parametrize("sender", ["15550100", " +1 555 0100", "+15550100"])
async def test_a_number_is_the_same_however_a_provider_writes_it(
    settings: Make, sandbox: Service, sender: str
) -> None:
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        assert (await hear(service, "STOP", **{"from": sender}))["word"] == "stop"
        _, _, listed = await service.get(OPT_OUTS)
    assert [each["subject"] for each in listed["data"]] == ["sms +15550100"]


@pytest.mark.parametrize(
    "text", ["please do not stop", "stopping by later", "", "start now or never", "STOP IT"]
)
async def test_a_sentence_is_no_word(settings: Make, sandbox: Service, text: str) -> None:
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        assert (await hear(service, text))["word"] is None
        assert (await service.get(OPT_OUTS))[2]["data"] == []


async def test_an_opt_out_may_be_of_one_workspace_or_of_a_contact_on_all_channels(
    service: Service, sandbox: Service
) -> None:
    async with working(service.engine):
        await service.post(OPT_OUTS, {**WHO, "workspaceId": 66338})
        assert (await send(service))["state"] == "failed"
        assert (await send(service, workspaceId="acme"))["state"] == "completed"
        _, _, said = await service.post(OPT_OUTS + "/remove", {**WHO, "workspaceId": "66338"})
        assert said["workspaces"] == {}
        contact = {"contactId": "c 9 🎉", "workspaceId": "acme"}
        await service.post(OPT_OUTS, contact)
        job = await send(service, **contact)
        assert job["state"] == "failed"
        assert (await send(service, **{**contact, "contactId": "c 8"}))["state"] == "completed"


async def test_who_says_stop_to_a_model_gets_no_reply_and_no_message(
    settings: Make, sandbox: Service
) -> None:
    given = settings(sms_api_url=sandbox.url, ai_api_url="simulated", callback_private=True)
    whose = {"workspaceId": 66338, "contactId": "c-9"}
    async with running(given) as service, working(service.engine):

        async def say(text: str) -> Any:
            body = {
                "workspace_id": 66338, "contact_id": "c-9", "message_id": text, "message_text": text,
                "callback_url": sandbox.url + "/send-sms",
            }  # fmt: skip
            return (await service.post("/api/v1/messages/ai", body, Prefer="wait=15"))[2]["state"]

        assert [await say("Hello"), await say("Stop"), await say("Hello?")] == [
            "completed",
            "failed",
            "failed",
        ]
        assert (await send(service, **whose))["state"] == "failed"
        assert await say("START") == "completed"
        assert (await send(service, **whose))["state"] == "completed"
    assert [call["body"]["message"][:5] for call in await calls(sandbox)].count("hello") == 1
    assert len(await calls(sandbox)) == 3


async def test_opt_outs_are_listed_and_what_names_nobody_is_refused(service: Service) -> None:
    for number in range(12):
        await service.post(OPT_OUTS, {"channel": "sms", "address": f"+1555{number:04}"})
    found, cursor = [], ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        _, _, page = await service.get(f"{OPT_OUTS}?limit=5{more}")
        found += [each["subject"] for each in page["data"]]
        cursor = page["page"]["next"]
    assert sorted(set(found)) == [f"sms +1555{number:04}" for number in range(12)]
    for wrong in ({}, {"channel": "sms"}, {"contactId": "c"}, {**WHO, "contactId": "c", "workspaceId": 1}):
        assert (await service.post(OPT_OUTS, wrong))[0] == 422


@pytest.mark.parametrize("written", ["+1 555 0100", "001-555-0100", "tel:+15550100", "15550100"])
async def test_an_address_is_the_same_however_it_is_written(service: Service, written: str) -> None:
    async with working(service.engine):
        _, _, said = await service.post(OPT_OUTS, {"channel": "sms", "address": written})
        assert said["subject"] == "sms +15550100"
        assert (await send(service))["state"] == "failed"
    for wrong in ({"channel": "fax", "address": "1"}, {"channel": "sms", "address": "nobody"}):
        assert (await service.post(OPT_OUTS, wrong))[0] == 422
    assert (await service.post(OPT_OUTS, {"channel": "email", "address": "no address"}))[0] == 422


async def test_many_opt_outs_of_one_address_at_once_are_all_kept(service: Service) -> None:
    said = await asyncio.gather(*[service.post(OPT_OUTS, {**WHO, "workspaceId": n}) for n in range(1, 31)])
    assert {status for status, _, _ in said} == {200}
    await asyncio.gather(
        *[service.post(OPT_OUTS + "/remove", {**WHO, "workspaceId": n}) for n in range(1, 16)],
        *[service.post(OPT_OUTS, {**WHO, "workspaceId": n}) for n in range(31, 41)],
    )
    ((only,),) = [(await service.get(OPT_OUTS))[2]["data"]]
    assert set(only["workspaces"]) == {str(n) for n in range(16, 41)}


async def test_what_was_withheld_is_counted_as_that(service: Service) -> None:
    async with working(service.engine):
        await service.post(OPT_OUTS, WHO)
        await send(service)
        await service.engine.state["figures"]._send()
        _, _, stats = await service.get("/api/v1/stats?by=workspace,channel")
    counts = stats["data"][0]["counts"]
    assert (counts["accepted"], counts["withheld"], counts["failed"]) == (1, 1, 0)


# -- the link of an e-mail ---------------------------------------------------------------------------------------


async def test_the_link_of_an_email_ends_the_emails_of_its_workspace(
    settings: Make, sandbox: Service
) -> None:
    given = {"email_api_url": sandbox.url, "public_url": "https://jobs.example.com/", "link_secret": "s3cr3t"}
    mail = {"to": "Ada@example.com", "subject": "Hi", "html": "<p>Hi</p>", "workspaceId": 66338}
    async with running(settings(**given)) as service, working(service.engine):

        async def mailed(**more: Any) -> str:
            _, _, job = await service.post("/api/v1/messages/email", {**mail, **more}, Prefer="wait=15")
            return str(job["state"])

        assert await mailed() == "completed"
        link = (await calls(sandbox))[0]["body"]["unsubscribe"]
        assert link.startswith("https://jobs.example.com/unsubscribe/")
        path = link.removeprefix("https://jobs.example.com")
        async with service.http.get(service.url + path) as page:
            text = await page.text()
        assert (page.status, "ada@example.com" in text.lower(), "form method" in text) == (200, True, True)
        assert await mailed() == "completed", "a look at the link ends nothing"
        async with service.http.post(service.url + path, data={"List-Unsubscribe": "One-Click"}) as page:
            assert page.status == 200
        assert await mailed() == "failed"
        assert await mailed(workspaceId="acme") == "completed"
        for wrong in (path[:-1], path + "x", "/unsubscribe/x", "/unsubscribe/" + "🎉"):
            async with service.http.post(service.url + wrong) as page:
                assert page.status == 404


async def test_of_several_readers_the_others_get_an_email(settings: Make, sandbox: Service) -> None:
    async with running(settings(email_api_url=sandbox.url)) as service, working(service.engine):
        await service.post(OPT_OUTS, {"channel": "email", "address": "ADA@example.com"})
        mail = {"to": ["ada@example.com", "bob@example.com"], "subject": "Hi", "html": "x", "workspaceId": 1}
        _, _, job = await service.post("/api/v1/messages/email", mail, Prefer="wait=15")
    assert list(job["result"]["refused"]) == ["ada@example.com"]
    assert (await calls(sandbox))[0]["body"]["to"] == "bob@example.com"


# -- quiet hours and the cap ---------------------------------------------------------------------------------------


def all_day_but_now() -> str:
    """Quiet hours that hold now, and for an hour more, by UTC."""
    now = datetime.now(ZoneInfo("UTC"))
    return f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1, minutes=1):%H:%M}"


async def test_in_quiet_hours_a_message_waits_and_costs_no_attempt_but_an_urgent_one_goes(
    settings: Make, sandbox: Service
) -> None:
    given = settings(sms_api_url=sandbox.url, quiet_hours=all_day_but_now(), quiet_zone="UTC")
    async with running(given) as service, working(service.engine):
        _, _, job = await service.post(SMS, {**GOOD, "zone": "UTC"}, Prefer="wait=1")
        assert (job["state"], job["attempt"]) == ("delayed", 0)
        assert (await send(service, urgent=True, zone="UTC"))["state"] == "completed"
        elsewhere = await send(service, zone="Asia/Tokyo")
        assert elsewhere["state"] == "completed"
        status, _, problem = await service.post(SMS, {**GOOD, "zone": "Moon/Base"})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/zone")


async def test_numbers_say_the_zone_of_their_country(settings: Make, sandbox: Service) -> None:
    berlin = datetime.now(ZoneInfo("Europe/Berlin"))
    quiet = f"{berlin - timedelta(hours=1):%H:%M}-{berlin + timedelta(hours=1, minutes=1):%H:%M}"
    given = settings(sms_api_url=sandbox.url, quiet_hours=quiet, quiet_zone="Pacific/Honolulu")
    async with running(given) as service, working(service.engine):
        _, _, job = await service.post(SMS, {**GOOD, "to": "+4915112345678"}, Prefer="wait=1")
        assert job["state"] == "delayed"
        assert (await send(service, to="+819012345678"))["state"] == "completed"


async def test_a_recipient_gets_so_many_a_day_and_each_message_counts_once(
    settings: Make, sandbox: Service
) -> None:
    given = settings(sms_api_url=sandbox.url, recipient_cap=2)
    async with running(given) as service, working(service.engine):
        await sandbox.http.put(sandbox.url + "/behaviour", json={"mode": "fail", "count": 3})
        states = [(await send(service))["state"] for _ in range(3)]
        assert states == ["completed", "completed", "failed"]
        job = await send(service)
        assert "has had 2 messages" in job["error"]["message"]
        assert (await send(service, urgent=True))["state"] == "completed"
        assert (await send(service, to="+15550101"))["state"] == "completed"


async def test_the_cap_holds_for_messages_that_go_out_at_once(settings: Make, sandbox: Service) -> None:
    async with running(settings(sms_api_url=sandbox.url, recipient_cap=5)) as service:
        jobs = await asyncio.gather(*[service.post(SMS, GOOD) for _ in range(40)])
        async with working(service.engine):
            for _, _, job in jobs:
                await service.engine.queue(job["queue"]).get(job["id"])
            await until(lambda: _are_over(service, 40))
    assert len(await calls(sandbox)) == 5


async def _are_over(service: Service, count: int) -> bool:
    counts = await service.engine.queue("send-sms-queue").counts()
    return counts.completed + counts.failed == count
