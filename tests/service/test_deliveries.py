"""A message goes out once, as its recipient sees it: what is known of it decides, and the unknown is settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from streamq_service.messaging import strays
from streamq_service.messaging.delivery import Deliveries, Delivery, DeliveryState
from streamq_service.settings import ServiceSettings

from streamq import App, State, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running, working
from .providers import answer, provider_saying
from .test_messages import GOOD, behave, calls

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
Work = Callable[[App], AbstractAsyncContextManager[Worker]]
SMS = "/api/v1/messages/sms"


@asynccontextmanager
async def sending(settings: Make, url: str, **given: Any) -> AsyncIterator[Service]:
    async with running(settings(sms_api_url=url, **given)) as service, working(service.engine):
        yield service


def being_sent(service: Service) -> Deliveries:
    return Deliveries(service.engine, reports=False)


async def lost_by_a_worker(service: Service, **more: Any) -> Any:
    """A message that a worker gave out and then was lost, before it waits again."""
    _, _, job = await service.post(SMS, {**GOOD, "delay": 0.4, **more})
    known = Delivery(DeliveryState.SENDING, "sms", "", 66338, 1_700_000_000.0)
    await being_sent(service).put(f"{job['queue']}:{job['id']}", known)
    return job


async def in_state(service: Service, job: Any, *states: str) -> Any:
    """The job, once it is in one of them."""

    async def look() -> Any:
        _, _, record = await service.get(job["url"])
        return record if record["state"] in states else None

    return await until(look, 20)


async def ended(service: Service, job: Any) -> Any:
    return await in_state(service, job, "completed", "failed")


async def test_a_message_is_known_as_sent_before_its_job_has_ended(settings: Make, sandbox: Service) -> None:
    async with sending(settings, sandbox.url) as service:
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=10")
        _, _, known = await service.get(f"/api/v1/queues/{job['queue']}/jobs/{job['id']}/delivery")
    assert (known["state"], known["provider_id"], known["workspace_id"]) == ("sent", "msg-1", 66338)


async def test_a_message_that_was_sent_before_its_worker_was_lost_is_not_sent_again(
    settings: Make, sandbox: Service
) -> None:
    async with sending(settings, sandbox.url) as service:
        job = await lost_by_a_worker(service)
        sent = Delivery(DeliveryState.SENT, "sms", "", 66338, 1_700_000_000.0, "msg-77")
        await being_sent(service).put(f"{job['queue']}:{job['id']}", sent)
        record = await ended(service, job)
    assert (record["state"], record["result"]["provider_id"]) == ("completed", "msg-77")
    assert await calls(sandbox) == []


async def test_resend_gives_out_again_under_the_same_key(settings: Make, sandbox: Service) -> None:
    async with sending(settings, sandbox.url) as service:
        job = await lost_by_a_worker(service)
        assert (await ended(service, job))["state"] == "completed"
        await service.engine.state["figures"]._send()
        _, _, stats = await service.get("/api/v1/stats?by=channel")
        assert stats["data"][0]["counts"]["resent"] == 1
    assert [call["idempotency_key"] for call in await calls(sandbox)] == [f"{job['queue']}:{job['id']}"]


@pytest.mark.parametrize("was_taken", [True, False])
async def test_ask_sends_again_only_what_the_provider_has_not_taken(
    settings: Make, sandbox: Service, was_taken: bool
) -> None:
    async with sending(settings, sandbox.url, sms_unknown="ask") as service:
        job = await lost_by_a_worker(service)
        key = f"{job['queue']}:{job['id']}"
        if was_taken:
            async with sandbox.http.post(
                sandbox.url + "/send-sms", json={}, headers={"Idempotency-Key": key}
            ) as said:
                assert said.status == 200
        record = await ended(service, job)
    assert (record["state"], record["result"]["provider_id"]) == ("completed", "msg-1")
    assert len(await calls(sandbox)) == 1


@pytest.mark.parametrize(
    ("how", "state", "sent"), [("sent", "completed", 0), ("failed", "failed", 0), ("resend", "completed", 1)]
)
async def test_hold_keeps_it_as_unknown_until_a_person_settles_it(
    settings: Make, sandbox: Service, how: str, state: str, sent: int
) -> None:
    async with sending(settings, sandbox.url, sms_unknown="hold") as service:
        job = await lost_by_a_worker(service)
        record = await ended(service, job)
        assert record["state"] == "failed"
        assert "settle it" in record["error"]["message"]
        at = f"/api/v1/queues/{job['queue']}/jobs/{job['id']}/delivery"
        _, _, listed = await service.get("/api/v1/deliveries/unknown")
        assert [(each["id"], each["state"]) for each in listed["data"]] == [(job["id"], "sending")]
        assert (listed["total"], (await service.get(at))[2]["state"]) == (1, "unknown")
        tries = [await service.post(at, {"as": how}) for _ in range(2)]
        assert [status for status, _, _ in tries] == [200, 409 if how != "resend" else tries[1][0]]
        await in_state(service, job, state)
        assert (await service.get("/api/v1/deliveries/unknown"))[2]["total"] == 0
    assert len(await calls(sandbox)) == sent


async def test_what_cannot_be_sent_again_as_its_job_is_gone_stays_unknown(
    settings: Make, sandbox: Service
) -> None:
    async with sending(settings, sandbox.url, sms_unknown="hold") as service:
        job = await lost_by_a_worker(service)
        await ended(service, job)
        await service.send("DELETE", job["url"])
        at = f"{job['url']}/delivery"
        status, _, problem = await service.post(at, {"as": "resend"})
        assert (status, problem["code"]) == (404, "job-not-found")
        assert (await service.get("/api/v1/deliveries/unknown"))[2]["total"] == 1
        assert (await service.post(at, {"as": "sent"}))[2]["state"] == "sent"
        assert (await service.get("/api/v1/deliveries/unknown"))[2]["total"] == 0


async def test_a_retry_by_hand_does_not_send_what_nobody_knows(settings: Make, sandbox: Service) -> None:
    async with sending(settings, sandbox.url, sms_unknown="hold") as service:
        job = await lost_by_a_worker(service)
        await ended(service, job)
        for _ in range(2):
            await service.engine.queue(job["queue"]).retry(job["id"])
            assert (await ended(service, job))["state"] == "failed"
    assert await calls(sandbox) == []


async def test_an_answer_that_is_lost_at_the_last_attempt_leaves_the_message_unknown(settings: Make) -> None:
    async with (
        provider_saying(b"HTTP/1.1 2") as url,
        sending(settings, url, sms_attempts=1) as service,
    ):
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=10")
        _, _, listed = await service.get("/api/v1/deliveries/unknown")
    assert job["state"] == "failed"
    assert [each["id"] for each in listed["data"]] == [job["id"]]


async def test_a_refusal_and_a_passing_trouble_are_known_as_not_sent(
    settings: Make, sandbox: Service
) -> None:
    async with sending(settings, sandbox.url, sms_unknown="hold") as service:
        await behave(sandbox, mode="fail", count=2)
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=20")
        assert (job["state"], job["attempt"]) == ("completed", 3)
        await behave(sandbox, mode="reject", count=1)
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=20")
        _, _, known = await service.get(f"/api/v1/queues/{job['queue']}/jobs/{job['id']}/delivery")
    assert (job["state"], known["state"]) == ("failed", "failed")
    assert "400" in known["reason"]


async def test_what_is_wrong_with_a_settlement_is_said(settings: Make, sandbox: Service) -> None:
    async with sending(settings, sandbox.url) as service:
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=10")
        at = f"/api/v1/queues/{job['queue']}/jobs/{job['id']}/delivery"
        status, _, problem = await service.post(at, {"as": "sent"})
        assert (status, problem["code"], problem["state"]) == (409, "delivery-known", "sent")
        assert (await service.post(at, {"as": "maybe"}))[0] == 422
        status, _, problem = await service.post(at.replace(job["id"], "1-0"), {"as": "sent"})
        assert (status, problem["code"]) == (404, "delivery-not-found")
        status, _, problem = await service.get("/api/v1/deliveries/unknown?cursor=nonsense")
        assert (status, problem["code"]) == (400, "bad-cursor")


async def test_many_unknown_messages_are_listed_page_by_page(settings: Make, sandbox: Service) -> None:
    async with running(settings(sms_api_url=sandbox.url)) as service:
        known = Delivery(DeliveryState.SENDING, "sms", "", "acme", 1_700_000_000.0)
        await asyncio.gather(*[being_sent(service).hold(f"q:{number}-0", known) for number in range(25)])
        found, cursor = [], ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            _, _, page = await service.get(f"/api/v1/deliveries/unknown?limit=10{more}")
            found += [each["id"] for each in page["data"]]
            cursor = page["page"]["next"]
    assert sorted(found) == sorted(f"{number}-0" for number in range(25))


async def test_a_message_whose_answer_was_lost_is_given_out_once_where_the_provider_is_asked(
    settings: Make,
) -> None:
    taken: list[bytes] = []

    async def take(writer: asyncio.StreamWriter, head: bytes) -> None:
        if head.startswith(b"GET"):
            writer.write(answer(200, b'{"id": "p-1"}') if taken else answer(404))
        else:
            taken.append(head)
            await asyncio.sleep(30)  # no answer in time

    async with (
        provider_saying(take) as url,
        running(settings(sms_api_url=url, sms_unknown="ask", sms_timeout=0.3)) as service,
        working(service.engine),
    ):
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=20")
    assert (job["state"], job["result"]["provider_id"], len(taken)) == (State.COMPLETED, "p-1", 1)


@pytest.mark.parametrize("how", ["cancelled", "buried"])
async def test_a_job_that_ended_without_its_handler_leaves_its_message_unknown(
    settings: Make, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(strays, "EVERY", 0.1)
    asked = asyncio.Event()

    async def stall(writer: asyncio.StreamWriter, _head: bytes) -> None:
        asked.set()
        await asyncio.sleep(30)

    async with (
        provider_saying(stall) as url,
        sending(settings, url, sms_timeout=0.5 if how == "buried" else 20, sms_attempts=1) as service,
    ):
        _, _, job = await service.post(SMS, GOOD)
        await asked.wait()
        if how == "cancelled":
            await service.post(f"{job['url']}/cancel", {})
        record = await in_state(service, job, "cancelled", "failed")
        assert record["state"] == ("cancelled" if how == "cancelled" else "failed")

        async def listed() -> Any:
            return (await service.get("/api/v1/deliveries/unknown"))[2]["data"]

        (unknown,) = await until(listed)
        assert (unknown["id"], unknown["channel"]) == (job["id"], "sms")
        status, _, settled = await service.post(f"{job['url']}/delivery", {"as": "sent"})
        assert (status, settled["state"]) == (200, "sent")


async def test_what_may_have_been_taken_is_unknown_also_where_the_provider_refuses_it_later(
    settings: Make,
) -> None:
    answers = [b"HTTP/1.1 2", answer(503), answer(503)]

    async def say(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async with provider_saying(say) as url, sending(settings, url, sms_attempts=3) as service:
        _, _, job = await service.post(SMS, GOOD, Prefer="wait=20")
        _, _, listed = await service.get("/api/v1/deliveries/unknown")
    assert (job["state"], job["attempt"], answers) == ("failed", 3, [])
    assert [each["id"] for each in listed["data"]] == [job["id"]]
