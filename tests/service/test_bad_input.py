"""Bad input is told apart, told all at once, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from yarl import URL

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

GOOD: dict[str, Any] = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
PAST = "2020-01-01T00:00:00Z"
NO_ZONE = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")
MISSING = object()

WRONG_FIELDS = [
    ("an empty recipient", {"to": ""}, "/to"),
    ("a blank recipient", {"to": "   "}, "/to"),
    ("no recipient", {"to": MISSING}, "/to"),
    ("a null recipient", {"to": None}, "/to"),
    ("two recipients", {"phoneNumber": "+15550101"}, "/to"),
    ("a recipient that is a number", {"to": 15550100}, "/to"),
    ("a recipient with a line break", {"to": "+1555\n0100"}, "/to"),
    ("a recipient of a thousand digits", {"to": "1" * 1000}, "/to"),
    ("an empty message", {"message": ""}, "/message"),
    ("no message", {"message": MISSING}, "/message"),
    ("a message that is a list", {"message": ["hello"]}, "/message"),
    ("a message over the limit", {"message": "x" * 1601}, "/message"),
    ("no workspace", {"workspaceId": MISSING}, "/workspaceId"),
    ("an empty workspace", {"workspaceId": ""}, "/workspaceId"),
    ("workspace zero", {"workspaceId": 0}, "/workspaceId"),
    ("a negative workspace", {"workspaceId": -1}, "/workspaceId"),
    ("workspace true", {"workspaceId": True}, "/workspaceId"),
    ("a workspace no reader keeps exactly", {"workspaceId": 2**53}, "/workspaceId"),
    ("an empty contact", {"contactId": ""}, "/contactId"),
    ("a contact that is a number", {"contactId": 5}, "/contactId"),
    ("a negative delay", {"delay": -1}, "/delay"),
    ("a delay in a string", {"delay": "5"}, "/delay"),
    ("a delay of an unknown unit", {"delay": "5 minutes"}, "/delay"),
    ("a delay in text of two years", {"delay": "730d"}, "/delay"),
    ("a delay that is true", {"delay": True}, "/delay"),
    ("a delay of two years", {"delay": 2 * 366 * 86_400}, "/delay"),
    ("a date in the past", {"scheduledFor": PAST}, "/scheduledFor"),
    ("a date without a zone", {"scheduledFor": NO_ZONE}, "/scheduledFor"),
    ("a date that does not exist", {"scheduledFor": "2030-02-30T00:00:00Z"}, "/scheduledFor"),
    ("a date in words", {"scheduledFor": "tomorrow"}, "/scheduledFor"),
    ("a date as a number", {"scheduledFor": 1_900_000_000}, "/scheduledFor"),
    ("a delay and a date", {"delay": 5, "scheduledFor": "2026-12-31T00:00:00Z"}, "/scheduledFor"),
    ("metadata that is a list", {"metadata": [1]}, "/metadata"),
    ("an unknown field", {"mesage": "hello"}, "/mesage"),
]


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("change", "pointer"), [row[1:] for row in WRONG_FIELDS], ids=[r[0] for r in WRONG_FIELDS]
)
async def test_a_wrong_field_is_pointed_at_and_nothing_is_enqueued(
    service: Service, change: dict[str, Any], pointer: str
) -> None:
    body = {name: value for name, value in {**GOOD, **change}.items() if value is not MISSING}
    status, headers, problem = await service.post("/api/v1/messages/sms", body)
    assert status == 422
    assert headers["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert await service.jobs() == 0


@ON_ONE_SERVER
async def test_all_errors_are_told_at_once(service: Service) -> None:
    wrong = {
        "phoneNumber": "",
        "message": "",
        "workspaceId": [],
        "delay": -1,
        "scheduledFor": PAST,
        "extra": 1,
    }
    status, _, problem = await service.post("/api/schedule-sms", wrong)
    assert status == 422
    assert {e["pointer"] for e in problem["errors"]} == {f"/{name}" for name in wrong}
    assert all(e["code"] and e["message"] for e in problem["errors"])


@ON_ONE_SERVER
async def test_an_unknown_field_comes_with_the_one_that_was_meant(service: Service) -> None:
    _, _, problem = await service.post("/api/schedule-sms", {**GOOD, "worspaceId": 1})
    assert problem["errors"][0]["hint"] == "did you mean workspaceId?"


@ON_ONE_SERVER
async def test_a_pointer_leads_to_a_field_of_any_name(service: Service) -> None:
    _, _, problem = await service.post("/api/schedule-sms", {**GOOD, "and/or~not": 1})
    assert problem["errors"][0]["pointer"] == "/and~1or~0not"


@ON_ONE_SERVER
@pytest.mark.parametrize("body", [b"", b"{", b'{"to": "+1",}', b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000])
async def test_what_is_not_json_is_a_bad_request_with_its_place(service: Service, body: bytes) -> None:
    status, _, problem = await service.post("/api/schedule-sms", body)
    assert (status, problem["code"]) == (400, "malformed-json")
    assert problem["line"] >= 1
    assert problem["column"] >= 0
    assert await service.jobs() == 0


@ON_ONE_SERVER
@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null"])
async def test_json_that_is_no_object_is_not_valid(service: Service, body: bytes) -> None:
    status, _, problem = await service.post("/api/schedule-sms", body)
    assert (status, problem["errors"][0]["pointer"]) == (422, "")


@ON_ONE_SERVER
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json-seq"]
)
async def test_another_content_type_is_unsupported(service: Service, kind: str) -> None:
    status, _, problem = await service.post("/api/schedule-sms", b"{}", Content_Type=kind)
    assert (status, problem["code"]) == (415, "unsupported-media-type")


@ON_ONE_SERVER
async def test_a_json_type_with_a_suffix_or_a_charset_is_json(service: Service) -> None:
    for kind in ("application/json; charset=utf-8", "application/vnd.api+json"):
        status, _, _ = await service.post("/api/schedule-sms", b"{}", Content_Type=kind)
        assert status == 422


@ON_ONE_SERVER
async def test_a_body_over_the_limit_is_refused_whether_announced_or_not(service: Service) -> None:
    async def drip() -> Any:
        for _ in range(300):
            yield b" " * 1024

    for data in (b" " * 300_000, drip()):
        async with service.http.post(
            service.url + "/api/schedule-sms", data=data, headers={"Content-Type": "application/json"}
        ) as response:
            problem = await response.json(content_type=None)
        assert (response.status, problem["limit_bytes"]) == (413, 262_144)


@ON_ONE_SERVER
async def test_a_body_announced_as_too_long_is_refused_before_it_is_sent(service: Service) -> None:
    url = URL(service.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        b"POST /api/schedule-sms HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 300000\r\n\r\n"
    )
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.write(b" " * 300_000)  # so that it need not linger for what was announced
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@ON_ONE_SERVER
async def test_a_payload_over_the_limit_of_the_engine_is_too_large(service: Service) -> None:
    status, _, problem = await service.post("/api/schedule-sms", {**GOOD, "metadata": {"note": "x" * 70_000}})
    assert (status, problem["code"], problem["limit_bytes"]) == (413, "payload-too-large", 65_536)
    assert await service.jobs() == 0


@ON_ONE_SERVER
async def test_metadata_nested_too_deeply_is_not_valid(service: Service) -> None:
    deep: Any = 1
    for _ in range(70):
        deep = {"in": deep}
    status, _, problem = await service.post("/api/schedule-sms", {**GOOD, "metadata": deep})
    assert (status, problem["errors"][0]["code"]) == (422, "too-deep")


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"task": ""}, "/task"),
        ({"task": 1}, "/task"),
        ({"delay": -1}, "/delay"),
        ({"at": PAST}, "/at"),
        ({"at": NO_ZONE}, "/at"),
        ({"attempts": 0}, "/attempts"),
        ({"attempts": 1.5}, "/attempts"),
        ({"timeout": 0}, "/timeout"),
        ({"priority": "urgent"}, "/priority"),
        ({"key": ""}, "/key"),
        ({"unique": {"until": "ever"}}, "/unique"),
        ({"expires": "soon"}, "/expires"),
        ({"group": "66338:contact:9"}, "/group"),
        ({"tags": ["a"]}, "/tags"),
        ({"durability": "disk"}, "/durability"),
        ({"retries": 3}, "/retries"),
        ({"payload": {"to": "+1", "message": "", "workspace_id": 1}}, "/payload/message"),
        ({"payload": None}, "/payload"),
    ],
)
async def test_a_wrong_job_is_pointed_at_and_nothing_is_enqueued(
    service: Service, change: dict[str, Any], pointer: str
) -> None:
    good = {"task": "send-sms", "payload": {"to": "+1", "message": "hello", "workspace_id": 1}}
    status, _, problem = await service.post("/api/v1/queues/send-sms-queue/jobs", {**good, **change})
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert await service.jobs() == 0


@ON_ONE_SERVER
@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=201", "limit=many", "page=2"])
async def test_a_wrong_query_is_not_valid(service: Service, query: str) -> None:
    status, _, problem = await service.get(f"/api/v1/queues/send-sms-queue/jobs?{query}")
    assert (status, problem["code"]) == (422, "validation")


@ON_ONE_SERVER
@pytest.mark.parametrize("cursor", ["nonsense", "failed.nonsense", "completed.-1", "completed.%C2%B2"])
async def test_a_cursor_that_is_not_ours_is_a_bad_request(service: Service, cursor: str) -> None:
    status, _, problem = await service.get(f"/api/v1/queues/send-sms-queue/jobs?cursor={cursor}")
    assert (status, problem["code"]) == (400, "bad-cursor")
