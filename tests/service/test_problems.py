"""Errors have one shape, and bad weather is told as what it is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from streamq import NotDurable

from ..rig import ON_ONE_SERVER
from ..servers import Server
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
GOOD = {"to": "+15550100", "message": "hello", "workspaceId": 66338}


@ON_ONE_SERVER
async def test_a_problem_says_what_where_and_under_which_number(service: Service) -> None:
    status, headers, problem = await service.get("/api/v1/nothing")
    assert status == 404
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-Id"] == problem["request_id"]
    assert {"type", "title", "status", "code", "detail"} <= problem.keys()


@ON_ONE_SERVER
async def test_a_wrong_verb_is_told_the_right_ones(service: Service) -> None:
    for path, allowed in (("/api/schedule-sms", "OPTIONS, POST"), ("/api/v1/queues", "GET, HEAD, OPTIONS")):
        async with service.http.delete(service.url + path) as response:
            assert (response.status, response.headers["Allow"]) == (405, allowed)
            assert (await response.json(content_type=None))["code"] == "method-not-allowed"


@ON_ONE_SERVER
async def test_a_failure_of_ours_shows_its_number_and_nothing_of_the_inside(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Any:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(service.engine, "queues", broken)
    with caplog.at_level(logging.ERROR, "streamq"):
        status, _, problem = await service.get("/api/v1/queues")
    assert (status, problem["code"]) == (500, "internal")
    assert "secret" not in str(problem)
    assert "Traceback" not in str(problem)
    assert problem["request_id"] in caplog.text


@ON_ONE_SERVER
async def test_a_job_that_was_taken_and_is_not_durable_is_told_from_an_answer_that_was_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_durable(*_: Any, **__: Any) -> Any:
        raise NotDurable("WAITAOF is unknown at 10.0.0.1")

    monkeypatch.setattr(service.engine, "enqueue", not_durable)
    message = {"to": "+15550100", "message": "hello", "workspace_id": 66338}
    body = {"task": "send-sms", "payload": message, "durability": "fsync"}
    status, headers, problem = await service.post("/api/v1/queues/send-sms-queue/jobs", body)
    assert (status, problem["code"]) == (503, "not-durable")
    assert "Retry-After" not in headers, "clients that obey it would add a job each time"
    assert "to ask again would add another job" in problem["detail"]
    assert "10.0.0.1" not in str(problem)


@ON_ONE_SERVER
async def test_a_server_that_is_away_is_unavailable_within_a_bounded_time_and_comes_back(
    own_server: Callable[..., Server], prefix: str, start: Start
) -> None:
    server = own_server(tcp=True)
    settings = ServiceSettings(
        redis_url=server.url, prefix=prefix, connect_timeout=1, command_timeout=1, enqueue_timeout=1
    )
    async with start(settings, messaging_app(settings)) as service:
        assert (await service.get("/ready"))[0] == 200
        server.stop()
        for path in ("/ready", "/api/v1/queues", "/api/v1/workers", "/api/v1/queues/send-sms-queue/jobs/1-0"):
            began = time.monotonic()
            status, headers, problem = await service.get(path)
            assert (status, time.monotonic() - began < 5) == (503, True), path
            assert int(headers["Retry-After"]) >= 1
            assert problem["code"] in {"unavailable", "outcome-unknown"}
        began = time.monotonic()
        status, headers, _ = await service.post("/api/schedule-sms", GOOD)
        assert (status, time.monotonic() - began < 5) == (503, True)
        assert int(headers["Retry-After"]) >= 1
        assert (await service.get("/health"))[0] == 200
        server.start()
        async with asyncio.timeout(10):
            while (await service.get("/ready"))[0] != 200:  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)
        assert (await service.post("/api/schedule-sms", GOOD))[0] == 201


@ON_ONE_SERVER
async def test_a_server_that_hangs_is_not_ready(
    own_server: Callable[..., Server], prefix: str, start: Start
) -> None:
    server = own_server()
    settings = ServiceSettings(redis_url=server.url, prefix=prefix)
    async with start(settings, messaging_app(settings)) as service:
        server.pause()
        try:
            began = time.monotonic()
            assert (await service.get("/ready"))[0] == 503
            assert time.monotonic() - began < 4
            assert (await service.get("/health"))[0] == 200
        finally:
            server.resume()


@ON_ONE_SERVER
async def test_a_full_server_refuses_with_a_time_to_come_back(
    own_server: Callable[..., Server], prefix: str, start: Start
) -> None:
    server = own_server(maxmemory=2_000_000)
    settings = ServiceSettings(redis_url=server.url, prefix=prefix)
    async with start(settings, messaging_app(settings)) as service:
        full = {**GOOD, "metadata": {"note": "x" * 60_000}}
        for _ in range(100):
            status, headers, problem = await service.post("/api/schedule-sms", full)
            if status != 201:
                break
        assert (status, problem["code"]) == (503, "out-of-memory")
        assert headers["Retry-After"] == "15"


@ON_ONE_SERVER
async def test_health_checks_and_looking_write_no_log(
    settings: Callable[..., ServiceSettings], start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(
        logging.INFO, "streamq.access"
    ):  # before the start: a service of few words logs nothing
        async with start(settings()) as service:
            await _look_and_send(service, caplog)


async def _look_and_send(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "streamq.access"]

    for path in ("/health", "/ready", "/", "/api/v1/queues"):
        async with service.http.get(service.url + path) as response:
            assert response.status == 200
    assert not lines()
    await service.post("/api/schedule-sms", {})
    assert [line.split(" ")[:3] for line in lines()] == [["422", "POST", "/api/schedule-sms"]]
