"""A message goes where it belongs, arrives as it was written, and is tried again only when that may help."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from streamq_service.http.serve import address, bind, serving
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

GOOD: dict[str, Any] = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]


async def behave(sandbox: Service, **behaviour: Any) -> None:
    async with sandbox.http.put(sandbox.url + "/behaviour", json=behaviour) as response:
        assert response.status == 200


async def calls(sandbox: Service) -> list[dict[str, Any]]:
    _, _, ledger = await sandbox.get("/ledger")
    found: list[dict[str, Any]] = ledger["calls"]
    return found


@ON_ONE_SERVER
@pytest.mark.parametrize("path", ["/api/schedule-sms", "/api/v1/messages/sms"])
async def test_an_immediate_message_waits_in_its_queue_and_says_where(service: Service, path: str) -> None:
    status, headers, answer = await service.post(path, GOOD)
    assert status == 201
    assert answer["success"] is True
    assert answer["id"] == answer["jobId"]
    assert (answer["queue"], answer["state"], answer["due_at"]) == ("send-sms-queue", "waiting", None)
    status, _, job = await service.get(headers["Location"])
    assert (status, job["task"], job["state"], job["group"]) == (200, "send-sms", "held", "66338")


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "when",
    [
        {"delay": 60},
        {"delay": 0.5},
        {"delay": "5m"},
        {"scheduledFor": (datetime.now(UTC) + timedelta(hours=1)).isoformat()},
        {"scheduledFor": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.123456789z")},
    ],
)
async def test_a_message_with_a_time_waits_in_the_queue_for_scheduled_ones(
    service: Service, when: dict[str, Any]
) -> None:
    status, headers, answer = await service.post("/api/schedule-sms", {**GOOD, **when})
    assert (status, answer["queue"], answer["state"]) == (201, "scheduled-sms-queue", "delayed")
    _, _, job = await service.get(headers["Location"])
    assert (job["task"], job["state"]) == ("scheduled-sms", "delayed")
    told, known = (datetime.fromisoformat(at) for at in (answer["due_at"], job["due_at"]))
    assert abs(told - known) < timedelta(seconds=1)


@ON_ONE_SERVER
@pytest.mark.parametrize("when", [{"delay": 0}, {"delay": None}, {"scheduledFor": None}])
async def test_no_delay_is_no_schedule(service: Service, when: dict[str, Any]) -> None:
    _, _, answer = await service.post("/api/schedule-sms", {**GOOD, **when})
    assert answer["queue"] == "send-sms-queue"


@ON_ONE_SERVER
@pytest.mark.parametrize("workspace", [66338, "66338", "acme", 1.5])
async def test_the_provider_receives_what_was_asked_for(
    service: Service, sandbox: Service, work: Work, workspace: Any
) -> None:
    body = {
        "phoneNumber": "+15550100",
        "message": "Grüße 🎉 £5 &amp; \u2028 “quotes”",
        "workspaceId": workspace,
        "contactId": "c-9",
        "metadata": {"campaign": {"id": 7}, "to": "+666", "workspaceId": "other"},
    }
    async with work(service.engine):
        status, _, job = await service.post("/api/schedule-sms", body, Prefer="wait=10")
    assert (status, job["state"], job["result"]) == (
        200,
        "completed",
        {"status": 200, "provider_id": "msg-1", "provider": ""},
    )
    (call,) = await calls(sandbox)
    received = call["body"]
    assert received == {
        "to": "+15550100",
        "message": body["message"],
        "workspaceId": workspace,
        "contactId": "c-9",
        "campaign": {"id": 7},
    }
    assert type(received["workspaceId"]) is type(workspace)


@ON_ONE_SERVER
async def test_a_message_without_a_contact_has_no_contact_at_the_provider(
    service: Service, sandbox: Service, work: Work
) -> None:
    async with work(service.engine):
        await service.post(
            "/api/schedule-sms", {**GOOD, "metadata": {"contactId": "smuggled"}}, Prefer="wait=10"
        )
    assert "contactId" not in (await calls(sandbox))[0]["body"]


@ON_ONE_SERVER
@pytest.mark.parametrize("status", [500, 502, 302, 504])
async def test_every_attempt_carries_the_same_idempotency_key(
    service: Service, sandbox: Service, work: Work, status: int
) -> None:
    await behave(sandbox, mode="fail", status=status, count=2)
    async with work(service.engine):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=20")
    made = await calls(sandbox)
    assert [call["status"] for call in made] == [status, status, 200]
    assert {call["idempotency_key"] for call in made} == {f"send-sms-queue:{job['id']}"}
    assert (job["state"], job["attempt"], len(job["history"])) == ("completed", 3, 2)


@ON_ONE_SERVER
@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_what_the_provider_refuses_is_not_tried_again(
    service: Service, sandbox: Service, work: Work, status: int
) -> None:
    await behave(sandbox, mode="reject", status=status)
    async with work(service.engine):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=10")
    assert (job["state"], job["attempt"]) == ("failed", 1)
    assert f"the provider answered {status}" in job["error"]["message"]
    assert len(await calls(sandbox)) == 1


@ON_ONE_SERVER
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_busy_provider_is_left_alone_for_as_long_as_it_asks(
    service: Service, sandbox: Service, work: Work, status: int, form: str
) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    retry_after = 1 if form == "seconds" else format_datetime(until, usegmt=True)
    await behave(sandbox, mode="busy", status=status, retry_after=retry_after, count=1)
    async with work(service.engine):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=20")
    first, second = (datetime.fromisoformat(call["received_at"]) for call in await calls(sandbox))
    assert job["state"] == "completed"
    assert second >= (first + timedelta(seconds=1) if form == "seconds" else until)


@ON_ONE_SERVER
@pytest.mark.parametrize("seconds", [3600, 10**9])
async def test_a_provider_cannot_ask_for_more_patience_than_the_bound(
    settings: Callable[..., ServiceSettings], sandbox: Service, start: Start, work: Work, seconds: int
) -> None:
    await behave(sandbox, mode="busy", retry_after=seconds, count=1)
    async with (
        start(settings(sms_api_url=sandbox.url, sms_max_retry_after=0.1)) as service,
        work(service.engine),
    ):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=10")
    assert job["state"] == "completed"


@ON_ONE_SERVER
async def test_a_provider_that_sends_elsewhere_is_not_followed(
    settings: Callable[..., ServiceSettings], sandbox: Service, start: Start, work: Work
) -> None:
    """Elsewhere nobody has agreed to take messages; and most clients would turn the POST into a GET."""

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(f"{sandbox.url}/send-sms")

    async with (
        _provider(elsewhere) as url,
        start(settings(sms_api_url=url, sms_attempts=2)) as service,
        work(service.engine),
    ):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=10")
    assert job["state"] == "failed"
    assert "the provider answered 307" in job["error"]["message"]
    assert await calls(sandbox) == []


@ON_ONE_SERVER
async def test_of_an_answer_without_end_only_its_begin_is_read(
    settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 4096)
        return response

    async with (
        _provider(endless) as url,
        start(settings(sms_api_url=url, sms_attempts=1, sms_timeout=3)) as service,
        work(service.engine),
    ):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=10")
    assert job["state"] == "completed"


@contextlib.asynccontextmanager
async def _provider(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """The address of a provider that answers as the handler does."""
    app = web.Application()
    app.router.add_post("/send-sms", handler)
    with bind("127.0.0.1", 0) as listener:
        async with serving(app, listener, quiet=True):
            yield address(listener)


@ON_ONE_SERVER
async def test_a_silent_provider_costs_an_attempt_after_the_time_limit(
    settings: Callable[..., ServiceSettings], sandbox: Service, start: Start, work: Work
) -> None:
    await behave(sandbox, mode="slow", delay_ms=2_000, count=1)
    async with start(settings(sms_api_url=sandbox.url, sms_timeout=0.2)) as service, work(service.engine):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=10")
    assert (job["state"], job["attempt"]) == ("completed", 2)
    assert "no answer from the provider within 0.2 s" in job["history"][0]["message"]


@ON_ONE_SERVER
async def test_without_a_provider_a_message_fails_and_says_what_to_set(
    settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(sms_attempts=2)) as service, work(service.engine):
        _, _, job = await service.post("/api/schedule-sms", GOOD, Prefer="wait=10")
    assert (job["state"], job["attempt"]) == ("failed", 2)
    assert "set SMS_API_URL" in job["error"]["message"]


@ON_ONE_SERVER
@pytest.mark.parametrize("path", ["/api/schedule-sms", "/api/v1/messages/sms", "/api/v1/messages/email"])
@pytest.mark.parametrize("delay", [None, 60])
async def test_a_request_with_a_key_sends_one_message_however_often_it_comes(
    service: Service, path: str, delay: int | None
) -> None:
    body = {**GOOD, "delay": delay}
    if path.endswith("email"):
        body = {"to": "ada@example.com", "subject": "Hi", "html": "x", "workspaceId": 1, "delay": delay}
    said = [await service.post(path, body, Idempotency_Key="order-991") for _ in range(3)]
    assert {status for status, _, _ in said} == {201}
    assert len({document["id"] for _, _, document in said}) == 1
    assert [headers.get("Idempotency-Replayed") for _, headers, _ in said] == [None, "true", "true"]
    status, _, problem = await service.post(path, {**body, "workspaceId": 2}, Idempotency_Key="order-991")
    assert (status, problem["code"]) == (422, "idempotency-key-reused")
    assert await service.jobs() == 1


@ON_ONE_SERVER
async def test_an_idempotency_key_is_refused_and_not_taken_silently(service: Service) -> None:
    body = {"channel": "sms", "address": "+15550100"}
    status, _, problem = await service.post("/api/v1/opt-outs", body, Idempotency_Key="order-991")
    assert (status, problem["code"]) == (422, "idempotency-key-unsupported")
    assert (await service.get("/api/v1/opt-outs"))[2]["data"] == []
