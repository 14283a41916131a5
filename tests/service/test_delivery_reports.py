"""Reports of providers: signed, any number of times, in any order; each changes a delivery once or not at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from streamq_service.messaging import signature
from streamq_service.messaging.delivery import Deliveries, Delivery, DeliveryState
from streamq_service.messaging.signature import key_of, signed
from streamq_service.sandbox.provider import build_sandbox
from streamq_service.sandbox.reporting import Reporting
from streamq_service.settings import ServiceSettings
from yarl import URL

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, address, bind, running, serving, working
from .test_messages import GOOD

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
KEY = key_of(SECRET, "reports")
SMS, HOOK = "/api/v1/messages/sms", "/api/v1/webhooks/sms"


async def report(service: Service, **said: Any) -> tuple[int, Any]:
    body = orjson.dumps(said)
    status, _, document = await service.post(HOOK, body, **signed(KEY, "r-1", body))
    return status, document.get("result", document.get("code"))


async def delivery(service: Service, job: Any) -> Any:
    return (await service.get(f"/api/v1/queues/{job['queue']}/jobs/{job['id']}/delivery"))[2]


async def one_sent(service: Service) -> Any:
    async with working(service.engine):
        return (await service.post(SMS, GOOD, Prefer="wait=10"))[2]


async def test_reports_in_any_order_and_number_leave_the_best_that_is_known(
    settings: Make, sandbox: Service
) -> None:
    told = [("sent", ""), ("failed", "handset away"), ("delivered", "")]
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        for order in itertools.permutations(told):
            job = await one_sent(service)
            provider_id = (await delivery(service, job))["provider_id"]
            for status, error in (*order, *order):
                assert (await report(service, id=provider_id, status=status, error=error))[0] == 200
            assert (await delivery(service, job))["state"] == "delivered"
        assert await report(service, id=provider_id, status="delivered") == (200, "known")

        async def counted() -> Any:
            _, _, stats = await service.get("/api/v1/stats?by=channel")
            counts = stats["data"][0]["counts"] if stats["data"] else {}
            return counts if counts.get("delivered") == 6 else None

        assert (await until(counted))["failed"] == 3, "where it was told before delivered"


async def test_a_report_before_the_answer_of_the_provider_waits_for_it(
    settings: Make, sandbox: Service
) -> None:
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        assert await report(service, id="msg-1", status="sent") == (200, "kept")
        assert await report(service, id="msg-1", status="delivered") == (200, "kept")
        assert await report(service, id="msg-1", status="sent") == (200, "kept")
        job = await one_sent(service)
        assert (await delivery(service, job))["state"] == "delivered"


async def test_a_report_by_our_key_needs_no_id_and_settles_what_was_unknown(
    settings: Make, sandbox: Service
) -> None:
    given = {"sms_api_url": sandbox.url, "sms_report_secret": SECRET, "sms_unknown": "hold"}
    async with running(settings(**given)) as service:
        _, _, job = await service.post(SMS, {**GOOD, "delay": 0.3})
        key = f"{job['queue']}:{job['id']}"
        deliveries = Deliveries(service.engine, reports=True)
        await deliveries.put(key, Delivery(DeliveryState.SENDING, "sms", "", 66338, 1_700_000_000.0))
        async with working(service.engine):
            await until(deliveries.count_unknown)
            await until(lambda: _is(service, job, "failed"))
            assert await report(service, idempotency_key=key, status="delivered") == (200, "noted")
            await until(lambda: _is(service, job, "completed"))
        assert await deliveries.count_unknown() == 0
        assert await report(service, idempotency_key="nobody:1-0", status="delivered") == (200, "known")


async def _is(service: Service, job: Any, state: str) -> bool:
    _, _, record = await service.get(job["url"])
    return bool(record["state"] == state)


async def test_what_is_not_signed_by_the_provider_is_refused(settings: Make, sandbox: Service) -> None:
    body = orjson.dumps({"id": "msg-1", "status": "delivered"})
    good = signed(KEY, "r-1", body)
    other = signed(b"another secret", "r-1", body)
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        for headers in (
            {}, other, {**good, "webhook-id": "r-2"}, {**good, "webhook-timestamp": "1700000000"},
            {**good, "webhook-timestamp": "soon"}, {**good, "webhook-signature": "v1,"},
            {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
        ):  # fmt: skip
            status, _, problem = await service.post(HOOK, body, **headers)
            assert (status, problem["code"]) == (401, "not-signed"), headers
        status, _, problem = await service.post(HOOK, body.replace(b"1", b"2"), **good)
        assert (status, problem["code"]) == (401, "not-signed")
        two = {**good, "webhook-signature": f"v1,old {good['webhook-signature']}"}
        assert (await service.post(HOOK, body, **two))[0] == 200, "while a secret is replaced"


async def test_an_old_copy_of_a_report_is_refused(
    settings: Make, sandbox: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = orjson.dumps({"id": "msg-1", "status": "delivered"})
    headers = signed(KEY, "r-1", body)
    monkeypatch.setattr(signature, "TOLERANCE", -1)
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        assert (await service.post(HOOK, body, **headers))[0] == 401


async def test_without_a_secret_no_report_is_taken(settings: Make, sandbox: Service) -> None:
    async with running(settings(sms_api_url=sandbox.url)) as service:
        assert await report(service, id="msg-1", status="delivered") == (404, "no-provider")


@pytest.mark.parametrize(
    "said",
    [{}, {"id": "m"}, {"status": "delivered"}, {"id": 1.5, "status": "delivered"}, {"id": "m", "status": "eaten"},
     {"type": "inbound"}, {"type": "inbound", "from": 1, "text": "STOP"}, {"id": "x" * 300, "status": "sent"}],
    ids=str,
)  # fmt: skip
async def test_a_report_that_cannot_be_read_says_what_is_missing(
    settings: Make, sandbox: Service, said: dict[str, Any]
) -> None:
    async with running(settings(sms_api_url=sandbox.url, sms_report_secret=SECRET)) as service:
        assert await report(service, **said) == (422, "report-not-read")
        body = b"[1"
        status, _, problem = await service.post(HOOK, body, **signed(KEY, "r", body))
        assert (status, problem["code"]) == (422, "report-not-read")


async def test_the_sandbox_tells_that_messages_are_delivered(settings: Make) -> None:
    reporting = Reporting(SECRET)
    with bind("127.0.0.1", 0) as listener:
        async with (
            serving(build_sandbox(reporting=reporting), listener),
            running(settings(sms_api_url=address(listener), sms_report_secret=SECRET)) as service,
        ):
            reporting.url = service.url + HOOK
            job = await one_sent(service)

            async def delivered() -> bool:
                return bool((await delivery(service, job))["state"] == "delivered")

            await until(delivered)


# -- the forms of two providers --------------------------------------------------------------------------------------


async def test_reports_of_twilio_are_signed_over_the_address_and_the_fields(settings: Make) -> None:
    url = "twilio+https://AC1:token@twilio.example.com?from=%2B15550100"
    given = {"sms_api_url": url, "public_url": "https://jobs.example.com/x"}
    async with running(settings(**given)) as service:
        path = f"{HOOK}/twilio?key=send-sms-queue%3A1-0"
        # a field that comes twice is signed with each of its values, and twice with one only once
        form = [
            ("MessageSid", "SM1"),
            ("To", "+1555"),
            ("MessageStatus", "delivered"),
            ("Tag", "b"),
            ("Tag", "a"),
        ]
        signed = "".join(f"{name}{value}" for name, value in sorted(form))
        form.append(("Tag", "a"))
        text = f"https://jobs.example.com/x{path}{signed}"
        mark = base64.b64encode(hmac.digest(b"token", text.encode(), hashlib.sha1)).decode()

        async def said(mark: str) -> int:
            headers = {"X-Twilio-Signature": mark, "Content-Type": "application/x-www-form-urlencoded"}
            where = URL(service.url + path, encoded=True)
            async with service.http.post(where, data=urlencode(form), headers=headers) as answer:
                return answer.status

        assert (await said(mark), await said("x" + mark), await said("")) == (200, 401, 401)


async def test_reports_of_vonage_are_signed_over_their_fields(settings: Make) -> None:
    url = "vonage+https://key:secret@vonage.example.com?from=Shop&signature=s3cr3t"
    async with running(settings(sms_api_url=url, public_url="https://jobs.example.com")) as service:
        fields = {"messageId": "v-1", "status": "delivered", "err-code": "0", "client-ref": "a&b=c"}
        text = "".join(f"&{k}={v.replace('&', '_').replace('=', '_')}" for k, v in sorted(fields.items()))
        mark = hmac.new(b"s3cr3t", text.encode(), hashlib.sha256).hexdigest()
        for sig, expected in ((mark.upper(), 200), (mark[:-1], 401), ("", 401)):
            status, _, _ = await service.post(f"{HOOK}/vonage", {**fields, "sig": sig})
            assert status == expected
