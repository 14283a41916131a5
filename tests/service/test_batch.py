"""Many jobs in one request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from streamq import App

from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Start = Callable[..., AbstractAsyncContextManager[Service]]
PATH = "/api/v1/queues/sums/jobs/batch"


def add(number: Any, **options: Any) -> dict[str, Any]:
    return {"task": "add", "payload": number, **options}


async def test_a_thousand_jobs_are_made_in_their_order(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    async with start(settings(), sums) as service:
        status, _, told = await service.post(PATH, {"jobs": [add(n) for n in range(1_000)]})
        assert (status, told["created"], told["existing"], told["failed"]) == (200, 1_000, 0, 0)
        assert [item["index"] for item in told["items"]] == list(range(1_000))
        for index in (0, 500, 999):
            _, _, job = await service.get(f"/api/v1/queues/sums/jobs/{told['items'][index]['id']}")
            assert job["payload"] == index
        status, _, problem = await service.post(PATH, {"jobs": [add(n) for n in range(1_001)]})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/jobs")
        assert await service.jobs() == 1_000


async def test_each_wrong_job_is_told_and_keeps_out_no_other(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    jobs = [add(1), add("x"), {"task": "odd"}, 7, add(2, dealy=5), add(3, delay="1h"), add(4)]
    async with start(settings(), sums) as service:
        status, _, told = await service.post(PATH, {"jobs": jobs})
        assert (status, told["created"], told["failed"]) == (207, 3, 4)
        assert [item["status"] for item in told["items"]] == [201, 422, 422, 422, 422, 201, 201]
        assert told["items"][1]["problem"]["errors"][0]["pointer"] == "/jobs/1/payload"
        assert told["items"][2]["problem"]["code"] == "unknown-task"
        assert told["items"][3]["problem"]["errors"][0] == {
            "pointer": "/jobs/3", "code": "type", "message": "must be a JSON object",
        }  # fmt: skip
        assert told["items"][4]["problem"]["errors"][0]["hint"] == "did you mean delay?"
        counts = (await service.engine.queue("sums").counts()).asdict()
        assert (counts["waiting"], counts["delayed"]) == (2, 1)


async def test_a_unique_key_leads_to_the_job_that_has_it(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    async with start(settings(), sums) as service:
        status, _, told = await service.post(
            PATH, {"jobs": [add(1, key="a"), add(2, key="b"), add(3, key="a")]}
        )
        assert (status, told["created"], told["existing"]) == (200, 2, 1)
        assert told["items"][2]["id"] == told["items"][0]["id"]
        assert told["items"][2]["disposition"] == "existing"


async def test_one_that_a_bound_of_the_queue_refuses_is_told_beside_those_that_are_made(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    async with start(settings(), sums) as service:
        await service.send("PATCH", "/api/v1/queues/sums", {"max_waiting": 2})
        status, _, told = await service.post(PATH, {"jobs": [add(n) for n in range(4)]})
        assert (status, told["created"], told["failed"]) == (207, 2, 2)
        assert {item["problem"]["code"] for item in told["items"] if "problem" in item} == {"queue-full"}
        assert await service.jobs() == 2


async def test_the_same_request_with_the_same_key_is_answered_as_the_first(
    start: Start, settings: Callable[..., Any], sums: App
) -> None:
    async with start(settings(), sums) as service:
        _, _, first = await service.post(PATH, {"jobs": [add(1), add(2)]}, Idempotency_Key="order-7")
        _, headers, again = await service.post(PATH, {"jobs": [add(1), add(2)]}, Idempotency_Key="order-7")
        assert (again, headers["Idempotency-Replayed"]) == (first, "true")
        status, _, problem = await service.post(PATH, {"jobs": [add(1)]}, Idempotency_Key="order-7")
        assert (status, problem["code"]) == (422, "idempotency-key-reused")
        assert await service.jobs() == 2


async def test_a_queue_that_nobody_knows_is_told_at_once(service: Service) -> None:
    status, _, problem = await service.post("/api/v1/queues/nowhere/jobs/batch", {"jobs": [add(1)]})
    assert (status, problem["code"]) == (404, "queue-not-found")


async def test_a_body_of_a_megabyte_is_taken(start: Start, settings: Callable[..., Any]) -> None:
    app = App(settings())

    @app.task(queue="sums")
    async def add(text: str) -> None: ...

    async with start(settings(), app) as service:
        jobs = [{"task": "add", "payload": "x" * 1_000} for _ in range(1_000)]
        status, _, told = await service.post(PATH, {"jobs": jobs})
        assert (status, told["created"]) == (200, 1_000)
