"""AI replies: a model that streams, callbacks that are signed and safe, and replies that are paid for once."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ..rig import ON_ONE_SERVER, until
from .conftest import Service, running
from .peers import Make, Peer, Work, answering, peer_served
from .providers import provider_saying

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]
SECRET = "whsec_" + base64.b64encode(b"a secret of callbacks").decode()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peer_served() as peer:
        yield peer


async def test_the_reply_of_a_model_goes_to_the_address_that_asked_for_it_signed(
    settings: Make, peer: Peer, work: Work
) -> None:
    async with answering(settings, peer, work, callback_secret=SECRET, ai_api_key="key") as send:
        job = await send()
    assert (job["state"], job["queue"], job["group"]) == ("completed", "ai-response-queue", "66338:+15550100")
    assert (job["result"]["reply"], job["result"]["tokens"]) == ("Your table is free.", 7)
    ((headers, body),) = peer.called
    assert json.loads(body) == {
        "workspace_id": 66338, "contact_id": "+15550100", "message_id": "m-1", "job_id": job["id"],
        "response_text": "Your table is free.",
    }  # fmt: skip
    told = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    made = hmac.new(b"a secret of callbacks", told, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(made).decode()


async def test_an_address_of_text_messages_gets_the_form_of_these(
    settings: Make, peer: Peer, work: Work
) -> None:
    async with answering(settings, peer, work) as send:
        assert (await send(path="/send-sms"))["state"] == "completed"
    body = json.loads(peer.called[0][1])
    assert (body["to"], body["message"], body["workspaceId"]) == ("+15550100", "Your table is free.", 66338)


async def test_a_callback_that_fails_never_asks_the_model_again(
    settings: Make, peer: Peer, work: Work
) -> None:
    peer.answers = [500, 404, 302]
    async with answering(settings, peer, work) as send:
        job = await send()
    assert (job["state"], job["attempt"], len(peer.called), len(peer.asked)) == ("completed", 4, 4, 1)
    assert len({headers["webhook-id"] for headers, _ in peer.called}) == 1


async def test_an_answer_whose_body_stalls_counts_by_its_status(
    settings: Make, peer: Peer, work: Work
) -> None:
    async def stall(writer: asyncio.StreamWriter, _head: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal")
        await writer.drain()
        await asyncio.sleep(5)

    async with provider_saying(stall) as url, answering(settings, peer, work, callback_timeout=0.3) as send:
        job = await send(callback_url=url)
    assert (job["state"], job["attempt"], job["result"]["callback_status"]) == ("completed", 1, 200)


async def test_ids_as_long_and_odd_as_may_be_are_taken(settings: Make, peer: Peer, work: Work) -> None:
    async with answering(settings, peer, work, ai_budget=1000) as send:
        for number, whose in enumerate(("w" * 256, "ä: {b} 🎂", 5.5)):
            job = await send(number, workspace_id=whose, contact_id="c:*" * 85, message_id="m" * 256)
            assert job["state"] == "completed"
    assert len(peer.asked) == 3


async def test_an_address_that_is_gone_is_not_called_again(settings: Make, peer: Peer, work: Work) -> None:
    peer.answers = [410]
    async with answering(settings, peer, work) as send:
        job = await send()
    assert (job["state"], len(peer.called)) == ("failed", 1)


async def test_the_same_message_twice_is_one_job_and_one_reply(
    settings: Make, peer: Peer, work: Work
) -> None:
    async with answering(settings, peer, work) as send:
        first, second, other = await send(1), await send(1), await send(2)
    assert first["id"] == second["id"] != other["id"]
    assert (len(peer.asked), len(peer.called)) == (2, 2)


async def test_a_key_of_limits_is_the_group_of_the_job(settings: Make, peer: Peer, work: Work) -> None:
    async with answering(settings, peer, work) as send:
        assert (await send(1, rate_limit_key="vip:7"))["group"] == "vip:7"
        assert (await send(2, contact_id="with blanks"))["group"] == "66338:with%20blanks"


async def test_the_model_is_told_what_the_contact_has_said_before(
    settings: Make, peer: Peer, work: Work
) -> None:
    async with answering(settings, peer, work, ai_context=1, ai_prompt="Be kind.") as send:
        for number, text in enumerate(("one", "two", "three")):
            await send(number, message_text=text)
        await send(9, message_text="hello", contact_id="another")
    talks = [[each["content"] for each in asked["messages"]] for asked in peer.asked]
    reply = "Your table is free."
    assert talks == [
        ["Be kind.", "one"], ["Be kind.", "one", reply, "two"], ["Be kind.", "two", reply, "three"],
        ["Be kind.", "hello"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pieces", "ends", "words"),
    [
        (["Your "], False, "stopped before it was done"),
        ([b"data: {garbage\n\n"], True, "no JSON object"),
        ([b"data: []\n\n"], True, "no JSON object"),
        ([b"<html>no stream</html>\n"], False, "stopped before it was done"),
        ([1.0, "late"], True, "in time"),
        (["Your ", 1.0, "table"], True, "in time"),
        ([], True, "stopped before it was done"),
    ],
)
async def test_a_model_that_stalls_breaks_off_or_sends_garbage_is_asked_again(
    settings: Make, peer: Peer, work: Work, pieces: list[Any], ends: bool, words: str
) -> None:
    peer.pieces, peer.ends = pieces, ends
    limits = {"ai_first_token": 0.3, "ai_next_token": 0.3, "callback_attempts": 2}
    async with answering(settings, peer, work, **limits) as send:
        job = await send()
    assert (job["state"], len(peer.asked), peer.called) == ("failed", 2, [])
    assert words in str(job["error"])


async def test_a_model_that_goes_on_for_ever_is_cut_off(settings: Make, peer: Peer, work: Work) -> None:
    peer.pieces = ["again and again " * 100] * 50
    async with answering(settings, peer, work) as send:
        job = await send()
    assert (job["state"], len(job["result"]["reply"])) == ("completed", 16_000)


async def test_a_workspace_that_has_spent_its_tokens_waits(settings: Make, peer: Peer, work: Work) -> None:
    async with answering(settings, peer, work, ai_budget=7) as send:
        assert (await send(1))["state"] == "completed"
        service: Service = send.service  # type: ignore[attr-defined]
        body = {
            "workspace_id": 66338, "contact_id": "c", "message_id": "m-2", "message_text": "and now?",
            "callback_url": peer.url,
        }  # fmt: skip
        _, _, sent = await service.post("/api/ai-response", body)
        await until(lambda: _is(service, sent["url"], "delayed"))
        assert (await send(3, workspace_id="other"))["state"] == "completed"


async def _is(service: Service, url: str, state: str) -> bool:
    return bool((await service.get(url))[2]["state"] == state)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_callback_reaches_nothing_of_our_own_network(
    settings: Make, peer: Peer, work: Work, host: str
) -> None:
    port = peer.url.rpartition(":")[2]
    async with answering(settings, peer, work, callback_private=False) as send:
        job = await send(callback_url=f"http://{host}:{port}/hook")
    assert (job["state"], peer.called) == ("failed", [])
    assert "not allowed" in str(job["error"])


WRONG = [
    ({"callback_url": "ftp://example.com"}, "/callback_url"), ({"callback_url": "example.com"}, "/callback_url"),
    ({"callback_url": "http://user:pw@example.com"}, "/callback_url"), ({"callback_url": "http://"}, "/callback_url"),
    ({"callback_url": "http://[::1"}, "/callback_url"), ({"callback_url": "http://a\nb"}, "/callback_url"),
    ({"callback_url": "http://other.example"}, "/callback_url"), ({"message_id": ""}, "/message_id"),
    ({"message_id": None}, "/message_id"), ({"message_text": " "}, "/message_text"),
    ({"workspace_id": 0}, "/workspace_id"),
    ({"contact_id": ""}, "/contact_id"), ({"rate_limit_key": "a:b:c"}, "/rate_limit_key"), ({"mesage": 1}, "/mesage"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "pointer"), WRONG)
async def test_a_wrong_field_is_pointed_at(settings: Make, change: dict[str, Any], pointer: str) -> None:
    body = {
        "workspace_id": 1, "contact_id": "c", "message_id": "m", "message_text": "hello",
        "callback_url": "https://example.com/hook", **change,
    }  # fmt: skip
    async with running(settings(callback_hosts="example.com")) as service:
        status, _, problem = await service.post("/api/v1/messages/ai", body)
        assert (status, [error["pointer"] for error in problem["errors"]]) == (422, [pointer])
        assert await service.jobs() == 0
