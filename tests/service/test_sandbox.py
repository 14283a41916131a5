"""The sandbox provider remembers every call as it came, and misbehaves exactly as told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from streamq_service.http.serve import address, bind, serving
from streamq_service.sandbox.ledger import Ledger
from streamq_service.sandbox.provider import build_sandbox
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from .conftest import JSON, Service, running, working


async def send(sandbox: Service, to: str = "+15550100", key: str | None = None) -> aiohttp.ClientResponse:
    headers = {"Idempotency-Key": key} if key else {}
    async with sandbox.http.post(sandbox.url + "/send-sms", json={"to": to}, headers=headers) as response:
        await response.read()
        return response


async def behave(sandbox: Service, **behaviour: Any) -> int:
    async with sandbox.http.put(sandbox.url + "/behaviour", json=behaviour) as response:
        return response.status


async def test_a_call_is_kept_byte_for_byte(sandbox: Service) -> None:
    raw = '{ "to":"+1",  "message" : "Grüße 🎉", "n": 1.50 }'.encode()
    async with sandbox.http.post(sandbox.url + "/send-sms", data=raw, headers=JSON) as response:
        assert await response.json() == {"id": "msg-1"}
    async with sandbox.http.get(sandbox.url + "/ledger") as response:
        assert raw in await response.read()


async def test_what_is_not_json_is_kept_too(sandbox: Service) -> None:
    async with sandbox.http.post(sandbox.url + "/send-sms", data=b"to=\xff", headers=JSON) as response:
        assert response.status == 200
    assert (await sandbox.get("/ledger"))[2]["calls"][0]["body"] == "to=ÿ"


async def test_repeats_are_counted_by_their_key_and_none_is_removed(sandbox: Service) -> None:
    for key in ("a", "b", "a", None, None, "a"):
        await send(sandbox, key=key)
    _, _, ledger = await sandbox.get("/ledger")
    assert [call["repeat"] for call in ledger["calls"]] == [0, 0, 1, 0, 0, 2]
    assert ledger["totals"] == {"calls": 6, "kept": 6, "keys": 2, "repeats": 2, "by_status": {"200": 6}}
    async with sandbox.http.delete(sandbox.url + "/ledger") as response:
        assert response.status == 204
    assert (await sandbox.get("/ledger"))[2]["totals"]["calls"] == 0


async def test_the_ledger_is_read_in_pages_that_meet(sandbox: Service) -> None:
    for number in range(5):
        await send(sandbox, to=str(number))
    seen, offset = [], 0
    while offset is not None:
        _, _, page = await sandbox.get(f"/ledger?offset={offset}&limit=2")
        seen += [call["body"]["to"] for call in page["calls"]]
        offset = page["next"]
    assert seen == list("01234")


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ({"mode": "ok"}, 200),
        ({"mode": "fail"}, 500),
        ({"mode": "fail", "status": 502}, 502),
        ({"mode": "busy"}, 429),
        ({"mode": "reject"}, 400),
        ({"mode": "slow", "delay_ms": 1}, 200),
    ],
)
async def test_it_answers_as_told(sandbox: Service, behaviour: dict[str, Any], status: int) -> None:
    assert await behave(sandbox, **behaviour) == 200
    assert (await send(sandbox)).status == status


async def test_a_behaviour_is_for_a_number_of_calls_and_for_some_recipients(sandbox: Service) -> None:
    await behave(sandbox, mode="busy", retry_after=7, count=2, match="666")
    answers = [await send(sandbox, to=to) for to in ("+100", "+1666", "+100", "+1666", "+1666")]
    assert [answer.status for answer in answers] == [200, 429, 200, 429, 200]
    assert answers[1].headers["Retry-After"] == "7"


async def test_a_slow_call_is_recorded_before_it_is_answered(sandbox: Service) -> None:
    await behave(sandbox, mode="slow", delay_ms=60_000)
    waiting = asyncio.create_task(send(sandbox))
    async with asyncio.timeout(5):
        while not (await sandbox.get("/ledger"))[2]["calls"]:  # noqa: ASYNC110 - only asking tells
            await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("wrong", [{"mode": "nice"}, {"mode": "ok", "count": 0}, {"speed": 1}])
async def test_a_behaviour_it_does_not_know_is_refused(sandbox: Service, wrong: dict[str, Any]) -> None:
    assert await behave(sandbox, **wrong) == 422


def test_the_ledger_is_bounded_by_bytes_and_its_count_of_calls_is_not() -> None:
    ledger = Ledger(keep=100_000)
    for number in range(1_000):
        ledger.add(str(number // 2), b"{}", 200)
    page = ledger.page(0, 1_000)
    totals, calls = page["totals"], page["calls"]
    assert (totals["calls"], totals["by_status"], totals["repeats"]) == (1_000, {"200": 1_000}, 500)
    assert 100 < totals["kept"] == len(calls) < 300
    assert totals["keys"] in (len(calls) // 2, len(calls) // 2 + 1)
    assert [call["id"] for call in calls] == [f"msg-{n}" for n in range(1_001 - len(calls), 1_001)]
    ledger.add("large", b"x" * 200_000, 200)  # the latest is kept whatever its size
    assert [call["id"] for call in ledger.page(0, 10)["calls"]] == ["msg-1001"]


async def test_each_call_is_a_line_of_the_file_at_once(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    with bind("127.0.0.1", 0) as listener:
        async with serving(build_sandbox(file=file), listener), aiohttp.ClientSession() as http:
            for number in range(3):
                body = b'{"to":\n"%d"}' % number
                async with http.post(address(listener) + "/send-sms", data=body, headers=JSON) as response:
                    assert response.status == 200
                assert len(file.read_text().splitlines()) == number + 1
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["body"]["to"] for line in lines] == ["0", "1", "2"]


async def test_four_thousand_messages_take_seconds(sandbox: Service) -> None:
    began = time.monotonic()
    for start in range(0, 4_000, 100):
        await asyncio.gather(*(send(sandbox, key=str(number)) for number in range(start, start + 100)))
    assert (await sandbox.get("/ledger?limit=1"))[2]["totals"]["keys"] == 4_000
    assert time.monotonic() - began < 30


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_sandbox_shows_replies_of_a_model_as_they_came(
    settings: Callable[..., ServiceSettings], sandbox: Service
) -> None:
    given = settings(ai_api_url="simulated", callback_private=True)
    async with running(given) as service, working(service.engine):
        body = {
            "workspace_id": 66338, "contact_id": "c-9", "message_id": "m-1", "message_text": "Is a table free?",
            "callback_url": sandbox.url + "/callback",
        }  # fmt: skip
        _, _, job = await service.post("/api/v1/messages/ai", body, Prefer="wait=10")
    (call,) = (await sandbox.get("/ledger"))[2]["calls"]
    assert call["idempotency_key"] == f"ai-response-queue:{job['id']}"
    assert (call["body"]["job_id"], call["body"]["workspace_id"]) == (job["id"], 66338)
