"""Messages on the dashboard: sent and followed until they are delivered, settled by hand, and wanted no more."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from streamq_service.http.serve import address, bind, serving
from streamq_service.messaging.delivery import Deliveries, Delivery, DeliveryState
from streamq_service.sandbox.ledger import Ledger
from streamq_service.sandbox.provider import build_sandbox
from streamq_service.sandbox.reporting import Reporting
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER, until
from .browser import Page
from .conftest import Service, running, working

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
Settings = Callable[..., ServiceSettings]


@pytest.fixture
async def demo(settings: Settings) -> AsyncIterator[tuple[Service, str]]:
    """A service that sends to a sandbox, which reports what it delivered, and the sandbox's address."""
    reporting, ledger = Reporting(SECRET), Ledger()
    with bind("127.0.0.1", 0) as listener:
        url = address(listener)
        given = settings(
            sms_api_url=url, email_api_url=url, ai_api_url="simulated", sms_report_secret=SECRET,
            sms_unknown="hold", callback_private=True, feed_interval=0.1,
        )  # fmt: skip
        async with (
            serving(build_sandbox(ledger=ledger, reporting=reporting), listener, quiet=True),
            running(given, inbox=ledger) as service,
        ):
            reporting.url = f"{service.url}/api/v1/webhooks/sms"
            yield service, url


async def received(service: Service, sandbox: str) -> list[Any]:
    """What the sandbox took."""
    async with service.http.get(f"{sandbox}/ledger") as answer:
        calls: list[Any] = (await answer.json())["calls"]
        return calls


async def test_a_message_of_each_channel_is_sent_and_followed_until_it_is_there(
    page: Page, demo: tuple[Service, str]
) -> None:
    service, sandbox = demo
    async with working(service.engine):
        await page.open(f"{service.url}/#/messaging/sms")
        await page.fill("message", "")
        await page.click("Send")
        await page.until("document.querySelectorAll('#send .error').length === 1")
        await page.until("document.activeElement.name === 'message'")
        await page.fill("message", "from a browser")
        await page.click("Send")
        await page.until("document.querySelector('.sent strong')?.innerText === 'delivered'")
        assert "1 segment of GSM-7" in await page.text(".sent")
        for channel, field, text in (
            ("email", "subject", "from a browser"),
            ("ai", "callback_url", f"{sandbox}/callback"),
        ):
            await page.open(f"{service.url}/#/messaging/{channel}")
            await page.fill(field, text)
            await page.click("Send")
            await page.until("document.querySelector('.sent[data-state=completed]')")

        async def replied() -> bool:
            return len(await received(service, sandbox)) == 3

        await until(replied)
    await page.click("Inbox of the sandbox")
    await page.shows("3 calls came", "main")
    await page.shows("from a browser", "tbody")
    await page.run("[...document.querySelectorAll('tbody a')].at(-1).click()")
    await page.until("document.querySelector('.head .badge[data-state=completed]')")
    bodies = [each["body"] for each in await received(service, sandbox)]
    assert bodies[0] == {"to": "+15550100", "message": "from a browser", "workspaceId": 66338}
    assert bodies[1]["subject"] == "from a browser"
    assert str(bodies[2]["message_id"]).startswith("test-")
    assert [each for each in page.complaints if "422" not in each] == [], "the empty message is refused"


@pytest.mark.parametrize(
    ("act", "state"), [("It was sent", "completed"), ("It failed", "failed"), ("Send it again", "completed")]
)
async def test_a_delivery_of_which_nobody_knows_is_settled_by_hand(
    page: Page, demo: tuple[Service, str], act: str, state: str
) -> None:
    service, sandbox = demo
    _, _, job = await service.post(
        "/api/v1/messages/sms", {"to": "+15550100", "message": "hello", "workspaceId": 1, "delay": 0.3}
    )
    deliveries = Deliveries(service.engine, reports=True)
    key = f"{job['queue']}:{job['id']}"
    await deliveries.put(key, Delivery(DeliveryState.SENDING, "sms", "", 1, 1_700_000_000.0))
    async with working(service.engine):
        await until(deliveries.count_unknown)
        await page.open(f"{service.url}/")
        await page.click("Of 1 message nobody knows whether they were sent.")
        await page.shows("Unknown deliveries: 1", "main")
        await page.click(act, "td")
        await page.click(act, "dialog")
        await page.shows("Unknown deliveries: 0", "main")
        await page.open(f"{service.url}/#/queues/{job['queue']}/jobs/{job['id']}")
        await page.until(f"document.querySelector('.head .badge[data-state={state}]')")
    assert len(await received(service, sandbox)) == (act == "Send it again")
    assert page.complaints == []


async def test_who_wants_no_messages_is_entered_and_taken_out(page: Page, demo: tuple[Service, str]) -> None:
    service, _ = demo
    await page.open(f"{service.url}/#/messaging/opt-outs")
    await page.shows("Nobody has opted out.", "main")
    await page.click("Add an opt-out")
    await page.fill("channel", "sms")
    await page.fill("address", "+15550107")
    await page.click("Add an opt-out", "dialog")
    await page.shows("all workspaces", "main tbody")
    _, _, told = await service.get("/api/v1/opt-outs")
    assert len(told["data"]) == 1
    await page.click("Take one back")
    await page.click("Take one back", "dialog")
    await page.until("document.querySelector('dialog .error')")
    await page.fill("channel", "sms")
    await page.fill("address", "+15550107")
    await page.click("Take one back", "dialog")
    await page.shows("Nobody has opted out.", "main")
