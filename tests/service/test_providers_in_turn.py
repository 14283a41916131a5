"""Several providers: the next one takes over from one that is down, and nothing is sent by both unknowingly."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from aiohttp import web
from streamq_service.messaging.formats import form_of
from streamq_service.messaging.sms import forms_of
from streamq_service.settings import ServiceSettings

from streamq import ConfigurationError

from ..rig import ON_ONE_SERVER
from .conftest import Service, address, bind, running, serving, working
from .test_messages import GOOD

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
Make = Callable[..., ServiceSettings]
SMS = "/api/v1/messages/sms"


@dataclass
class Peer:
    """A provider that answers as it is told: what it was sent, and its answer."""

    url: str = ""
    status: int = 200
    once: int | None = None
    """The status of the next answer alone."""
    body: Any = field(default_factory=lambda: {"id": "p"})
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.seen.append((request.path, dict(request.headers), await request.read()))
        status, self.once = self.once or self.status, None
        return web.json_response(self.body, status=status)


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    made, application = Peer(), web.Application()
    application.router.add_route("*", "/{path:.*}", made.take)
    with bind("127.0.0.1", 0) as listener:
        async with serving(application, listener, quiet=True):
            made.url = address(listener)
            yield made


@asynccontextmanager
async def two(settings: Make, **given: Any) -> AsyncIterator[tuple[Service, Peer, Peer]]:
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(peer()) for _ in range(2)]
        urls = f"{first.url}#first {second.url}#second"
        service = await stack.enter_async_context(running(settings(sms_api_url=urls, **given)))
        await stack.enter_async_context(working(service.engine))
        yield service, first, second


async def send(service: Service, **more: Any) -> Any:
    return (await service.post(SMS, {**GOOD, **more}, Prefer="wait=15"))[2]


async def test_a_provider_is_given_no_more_than_its_rate_and_the_next_one_gets_the_rest(
    settings: Make,
) -> None:
    async with two(settings, sms_provider_rates="first=3/h") as (service, first, second):
        sent = [await send(service, message=f"number {n}") for n in range(5)]
        assert [job["state"] for job in sent] == ["completed"] * 5
        assert (len(first.seen), len(second.seen)) == (3, 2)


async def test_where_all_have_had_their_rate_a_message_waits_and_spends_no_attempt(settings: Make) -> None:
    async with two(settings, sms_provider_rates="first=1/s, second=1/s") as (service, first, second):
        began = monotonic()
        sent = await asyncio.gather(*[send(service, message=f"number {n}") for n in range(6)])
        assert monotonic() - began > 1.9, "two in each second"
        assert [(job["state"], job["attempt"]) for job in sent] == [("completed", 1)] * 6
        assert (len(first.seen), len(second.seen)) == (3, 3)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ("first", "must name each provider"), ("first=fast", "rate='fast'"), ("third=1/s", "has that name"),
        ("first=1/s,first=2/s", "once"), ("first=unlimited", "must name each provider"), ("=1/s", "has that name"),
    ],
)  # fmt: skip
async def test_rates_that_cannot_be_read_are_told_at_the_start(
    settings: Make, rates: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match="STREAMQ_SMS_PROVIDER_RATES") as refused:
        async with two(settings, sms_provider_rates=rates):
            pass
    assert words in str(refused.value)


async def test_the_first_provider_has_all_messages_while_it_takes_them(settings: Make) -> None:
    async with two(settings) as (service, first, second):
        jobs = [await send(service) for _ in range(5)]
    assert {job["result"]["provider"] for job in jobs} == {"first"}
    assert (len(first.seen), len(second.seen)) == (5, 0)


@pytest.mark.parametrize("status", [500, 503, 429, 401])
async def test_what_the_first_does_not_take_goes_to_the_second_in_the_same_attempt(
    settings: Make, status: int
) -> None:
    async with two(settings) as (service, first, _):
        first.status = status
        job = await send(service)
        assert (job["state"], job["attempt"], job["result"]["provider"]) == ("completed", 1, "second")
        at = f"/api/v1/queues/{job['queue']}/jobs/{job['id']}/delivery"
        assert (await service.get(at))[2]["provider"] == "second"


async def test_a_provider_that_is_down_is_left_in_peace_and_a_refused_message_is_no_fault_of_it(
    settings: Make,
) -> None:
    async with two(settings) as (service, first, second):
        first.status = 500
        for _ in range(12):
            assert (await send(service))["result"]["provider"] == "second"
        assert (len(first.seen), len(second.seen)) == (5, 12)
        _, _, told = await service.get("/api/v1/channels")
        notes = next(channel for channel in told["data"] if channel["name"] == "sms")["notes"]
        assert notes == {} or "500" in next(iter(notes.values()))
        second.status = 400
        job = await send(service)
    assert (job["state"], len(first.seen)) == ("failed", 5)


async def test_a_message_whose_answer_was_lost_goes_to_the_same_provider_again(settings: Make) -> None:
    async with two(settings) as (service, first, second):
        first.once = 504
        job = await send(service)
    assert (job["state"], job["attempt"], job["result"]["provider"]) == ("completed", 2, "first")
    assert (len(first.seen), second.seen) == (2, [])
    assert len({headers["Idempotency-Key"] for _, headers, _ in first.seen}) == 1


async def test_a_message_that_one_provider_may_have_goes_to_no_other_one_though_the_first_is_down(
    settings: Make,
) -> None:
    async with two(settings, sms_attempts=3) as (service, first, second):
        first.once, first.status = 504, 503
        job = await send(service)
        _, _, listed = await service.get("/api/v1/deliveries/unknown")
    assert (job["state"], job["attempt"], len(first.seen), second.seen) == ("failed", 3, 3, [])
    assert [(each["id"], each["provider"]) for each in listed["data"]] == [(job["id"], "first")]


# -- their forms ---------------------------------------------------------------------------------------------------


async def test_twilio_gets_a_form_with_a_login_and_where_to_report(settings: Make) -> None:
    async with peer() as made:
        made.status, made.body = 201, {"sid": "SM77", "status": "queued"}
        url = made.url.replace("http://", "twilio+http://AC1:t%20k@") + "?from=%2B15550111"
        given = {"sms_api_url": url, "public_url": "https://jobs.example.com"}
        async with running(settings(**given)) as service, working(service.engine):
            job = await send(service, message="Grüße 🎉")
    assert job["result"] == {"status": 201, "provider_id": "SM77", "provider": "twilio"}
    path, headers, body = made.seen[0]
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    assert path == "/2010-04-01/Accounts/AC1/Messages.json"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"AC1:t k").decode()
    assert form.pop("StatusCallback").startswith(
        "https://jobs.example.com/api/v1/webhooks/sms/twilio?key=send"
    )
    assert form == {"To": "+15550100", "Body": "Grüße 🎉", "From": "+15550111"}


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([{"status": "0", "message-id": "v-1"}], "completed"),
        ([{"status": "0", "message-id": "v-1"}, {"status": "0", "message-id": "v-2"}], "completed"),
        ([{"status": "3", "error-text": "no such number"}], "failed"),
        ([{"status": "0", "message-id": "v-1"}, {"status": "1"}], "failed"),
    ],
    ids=["taken", "two parts", "refused", "half"],
)
async def test_vonage_says_in_an_answer_of_200_what_became_of_a_message(
    settings: Make, said: Any, state: str
) -> None:
    async with peer() as made:
        made.body = {"message-count": str(len(said)), "messages": said}
        url = made.url.replace("http://", "vonage+http://key:secret@") + "?from=Shop"
        async with running(settings(sms_api_url=url)) as service, working(service.engine):
            job = await send(service, message="Grüße")
    assert job["state"] == state
    sent = orjson.loads(made.seen[0][2])
    assert (sent["api_key"], sent["api_secret"], sent["from"]) == ("key", "secret", "Shop")
    assert (sent["to"], sent["text"], sent["type"]) == ("15550100", "Grüße", "unicode")
    assert sent["client-ref"] == f"{job['queue']}:{job['id']}"
    if state == "completed":
        assert job["result"]["provider_id"] == "v-1"


@pytest.mark.parametrize("kind", ["twilio", "vonage"])
async def test_the_secrets_of_a_provider_stand_in_no_error(settings: Make, kind: str) -> None:
    async with peer() as made:
        made.status, made.body = 400, {"error": "hunter2hunter2 and s3cr3t-signature"}
        login = made.url.replace("http://", f"{kind}+http://key:hunter2hunter2@")
        url = login + "?from=Shop&signature=s3cr3t-signature"
        async with running(settings(sms_api_url=url)) as service, working(service.engine):
            job = await send(service)
    assert job["state"] == "failed"
    assert "hunter2" not in str(job)
    assert "s3cr3t" not in str(job)


def test_addresses_that_cannot_be_are_refused_with_what_can(settings: Make) -> None:
    with pytest.raises(ConfigurationError, match="twilio or vonage"):
        form_of("acme+https://a.example.com", "send-sms")
    with pytest.raises(ConfigurationError, match="#name"):
        forms_of(settings(sms_api_url="https://a.example.com https://b.example.com"))
    with pytest.raises(ConfigurationError, match="cannot be asked"):
        forms_of(settings(sms_api_url="twilio+https://a:b@c.example.com", sms_unknown="ask"))
    for wrong in ("ftp://a.example.com", "https://a.example.com, https://b.example.com", "twilio+ftp://x"):
        with pytest.raises(ConfigurationError, match="http or https URL"):
            settings(sms_api_url=wrong)
