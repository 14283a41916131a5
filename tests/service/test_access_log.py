"""The access log: one line for each request, whatever the caller sends, and no secret in it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings
from yarl import URL

from streamq.logs import Console, Json

from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [ON_ONE_SERVER, pytest.mark.keeps_keys]

Start = Callable[..., AbstractAsyncContextManager[Service]]
SECRET = "hush-hush"
REQUEST = (
    f"POST /api/v1/nothing%0a12:00:00%1b[31m%e2%80%ae?password={SECRET}&key={SECRET}&{SECRET}&limit=1 HTTP/1.1\r\n"
    f"Host: 127.0.0.1\r\nAuthorization: Bearer {SECRET}\r\nCookie: {SECRET}\r\nX-Api-Key: {SECRET}\r\n"
    "User-Agent: \xe2\x80\xaeagent \x9b31m\r\n"
    f"Referer: http://ada:{SECRET}@127.0.0.1/page?token={SECRET}#{SECRET}\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n"
)


async def sent(url: str, request: str) -> bytes:
    """The answer to bytes as they are."""
    reader, writer = await asyncio.open_connection(URL(url).host, URL(url).port)
    writer.write(request.encode("latin-1"))
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_hostile_request_is_one_line_without_its_secrets(
    settings: Callable[..., ServiceSettings], start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "streamq.access")
    async with start(settings(api_keys="reader-0123456789=read")) as service:
        answer = await sent(service.url, REQUEST)
    assert answer.startswith(b"HTTP/1.1 4")
    (record,) = await until(lambda: [r for r in caplog.records if r.name == "streamq.access"])
    console, line = Console().format(record), Json().format(record)
    for said in (console, line):
        assert "\n" not in said
        assert SECRET not in said
        assert said.replace("✗", "").isascii()
    told: dict[str, Any] = json.loads(line)
    assert told["query"] == "password&key&limit"
    assert told["referrer"] == "127.0.0.1/page"
    assert told["status"] == int(answer.split()[1])
    assert told["bytes"] > 0
    assert told["duration_ms"] >= 0
    assert told["request_id"].encode() in answer
    assert "/api/v1/nothing%0a12:00:00%1b[31m" in console


async def test_looks_are_told_at_debug_and_changes_at_info(
    settings: Callable[..., ServiceSettings], start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    for level, seen in ((logging.INFO, ["POST"]), (logging.DEBUG, ["GET", "POST"])):
        caplog.clear()
        caplog.set_level(level, "streamq.access")
        async with start(settings()) as service:
            await service.get("/health")
            await service.post("/api/schedule-sms", {"to": "+15550100", "message": "Hello", "workspaceId": 1})
        told = [r.__dict__["method"] for r in caplog.records if r.name == "streamq.access"]
        assert told == seen


async def test_no_line_has_the_token_of_a_link_or_a_whole_number(
    settings: Callable[..., ServiceSettings], start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "streamq.access")
    async with start(settings()) as service:
        for path in ("/unsubscribe/WyJhZGEi.x", "/api/v1/queues/q/groups/66338:%2B15550100199/pause"):
            await sent(service.url, f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    told = " ".join(record.getMessage() for record in caplog.records if record.name == "streamq.access")
    assert "/unsubscribe/*** " in told
    assert "WyJhZGEi" not in told
    assert "%2B155***99/pause" in told
    assert "15550100" not in told
