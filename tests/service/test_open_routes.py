"""What anyone may ask tells nothing of the inside, and no answer is kept where it must not be."""

from __future__ import annotations

import asyncio
import hmac
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

import aiohttp
import pytest
from streamq_service.app import ROUTES
from streamq_service.http.auth import Keys, Scope
from streamq_service.settings import ServiceSettings

import streamq

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
Make = Callable[..., ServiceSettings]
GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}
KEYS = "the-reader-of-them-all=read,the-boss-of-them-all=admin"
AWAY = "redis://user-hunter:hunter1@127.0.0.1:1/3?password=hunter2"
INSIDE = [
    "hunter", "127.0.0.1:1", "/3", "the-reader-of-them-all", "the-boss-of-them-all",
    "send-sms", "scheduled-sms", "provider.example.com",
    "server_ms", "Traceback", "aiohttp", "Python/", platform.python_version(), aiohttp.__version__,
]  # fmt: skip
OPEN = [
    (method, path)
    for path in ("/", "/health", "/ready", "/nothing")
    for method in ("GET", "HEAD", "POST", "OPTIONS")
]
CLOSED = [(route.method, route.path) for route in ROUTES if route.scope is not None]


@ON_ONE_SERVER
async def test_who_has_no_key_learns_nothing_of_the_inside(settings: Make, start: Start) -> None:
    for server in ({}, {"redis_url": AWAY, "connect_timeout": 0.5}):
        made = settings(
            api_keys=KEYS, sms_api_url="https://user-hunter:hunter3@provider.example.com", **server
        )
        async with start(made) as service:
            inside = [*INSIDE, made.prefix, str(streamq.__version__)]
            for key in ("", "Bearer wrong", "Basic the-reader-of-them-all"):
                for method, path in [*OPEN, *CLOSED]:
                    if server and path == "/ready" and method == "HEAD":
                        continue  # its answer is that of GET, and each look costs a time-out
                    told = await _whole(service, method, path, key)
                    assert not [word for word in inside if word in told], path


async def _whole(service: Service, method: str, path: str, key: str) -> str:
    """Headers and body as they come."""
    sent = {"Authorization": key, "Content-Type": "application/json"}
    async with service.http.request(method, service.url + path, headers=sent) as response:
        kept = {
            name: value
            for name, value in response.headers.items()
            if name not in ("X-Request-Id", "ETag", "Date")
        }
        body = "".join(
            line for line in (await response.text()).splitlines(keepends=True) if "request_id" not in line
        )
        return f"{response.status} {kept} {body}"


@ON_ONE_SERVER
async def test_how_ready_it_is_only_readers_are_told(settings: Make, start: Start) -> None:
    async with start(settings(api_keys=KEYS)) as service:
        for key in ("", "Bearer wrong"):
            assert (await service.get("/ready", Authorization=key))[2] == {"status": "ok"}
        assert "server_ms" in (await service.get("/ready", Authorization="Bearer the-reader-of-them-all"))[2]
    async with start(settings(api_keys=KEYS, redis_url=AWAY, connect_timeout=0.5)) as service:
        status, headers, problem = await service.get("/ready")
        assert (status, problem["code"], int(headers["Retry-After"]) > 0) == (503, "unavailable", True)
        assert problem["detail"] == "The service is not ready."
        _, _, problem = await service.get("/ready", Authorization="Bearer the-reader-of-them-all")
        assert problem["detail"] != "The service is not ready."
    async with start(settings()) as service:
        assert "server_ms" in (await service.get("/ready"))[2]
        assert (await service.get("/ready", Via="1.1 proxy"))[2] == {"status": "ok"}


@ON_ONE_SERVER
async def test_many_who_ask_whether_it_is_ready_cost_the_server_few_questions(
    service: Service, shared_server: Server
) -> None:
    def pings() -> int:
        with shared_server.client() as client:
            return int(client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))

    before = pings()
    answers = await asyncio.gather(*(service.get("/ready") for _ in range(300)))
    assert {status for status, _, _ in answers} == {200}
    assert pings() - before < 100


@ON_ONE_SERVER
async def test_every_answer_has_its_headers_and_only_files_are_kept(settings: Make, start: Start) -> None:
    async with start(settings(api_keys=KEYS)) as service:
        statuses = set()
        for method, path, key in [
            ("GET", "/api/v1/queues", "the-boss-of-them-all"), ("GET", "/api/v1/queues", ""), ("GET", "/nothing", ""),
            ("DELETE", "/health", ""), ("POST", "/api/schedule-sms", "the-boss-of-them-all"), ("GET", "/health", ""),
            ("POST", "/api/schedule-sms", "the-reader-of-them-all"), ("GET", "/ready", ""),
            ("GET", "/api/v1/events", "the-boss-of-them-all"),
        ]:  # fmt: skip
            sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
            async with service.http.request(method, service.url + path, headers=sent) as response:
                statuses.add(response.status)
                assert response.headers["Cache-Control"] == "no-store", path
                _has_its_marks(response.headers)
        assert statuses == {200, 400, 401, 403, 404, 405}
        for path in ("/", "/static/app.js"):
            async with service.http.get(service.url + path) as response:
                assert response.headers["Cache-Control"] == "no-cache"
                _has_its_marks(response.headers)
                etag = response.headers["ETag"].removeprefix("W/")
            for known in (etag, f"W/{etag}", f'"other", {etag}'):
                async with service.http.get(service.url + path, headers={"If-None-Match": known}) as response:
                    assert response.status == 304, known


def _has_its_marks(headers: Mapping[str, str]) -> None:
    marks = ("X-Request-Id", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy")
    assert not [mark for mark in marks if mark not in headers]
    assert headers["Server"] == "streamq"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@ON_ONE_SERVER
async def test_looking_changes_nothing(service: Service, shared_server: Server) -> None:
    def all_keys() -> dict[bytes, bytes]:
        with shared_server.client(decode_responses=False) as client:
            return {key: client.dump(key) for key in client.scan_iter("*")}

    _, _, sent = await service.post("/api/schedule-sms", GOOD)
    before = all_keys()
    for method, path in ((method, route.path) for route in ROUTES for method in ("GET", "HEAD")):
        where = (
            path.replace("{queue}", "send-sms-queue")
            .replace("{id}", sent["id"])
            .replace("{file}", "app.js")
            .replace("{name}", "x")
        )
        async with service.http.request(method, service.url + where) as response:
            assert response.status in (200, 404, 405)
    assert all_keys() == before


def test_a_wrong_key_costs_little_whatever_its_length() -> None:
    keys = Keys(",".join(f"the-key-of-number-{number}=read" for number in range(100)))
    began = time.process_time()
    for length in (0, 1, 12, 100, 8_000):
        assert all(keys.scope("x" * length) is None for _ in range(20))
    assert time.process_time() - began < 1, "100 wrong keys against 100 known ones took more than a second"
    assert keys.scope("the-key-of-number-99") is Scope.READ
    assert keys.scope("the-key-of-number-9") is Scope.READ
    assert keys.scope("the-key-of-number-990") is None


def test_keys_are_kept_as_digests_and_each_is_compared_whichever_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = Keys(",".join(f"the-key-of-number-{number}=read" for number in range(10)))
    assert "the-key" not in repr(vars(keys))
    compared, compare = [], hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda *pair: compared.append(pair) or compare(*pair))
    for token in ("the-key-of-number-0", "the-key-of-number-9", "x"):
        keys.scope(token)
    assert len(compared) == 30, "in constant time each, and all of them"
