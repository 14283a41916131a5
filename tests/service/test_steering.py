"""Steering through the API: pauses, a bound, and background operations that are confirmed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..rig import ON_ONE_SERVER
from .conftest import JSON, Service
from .declared import check

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]
QUEUE = "/api/v1/queues/sums"


async def patch(service: Service, body: Any) -> tuple[int, Any]:
    async with service.http.patch(service.url + QUEUE, headers=JSON, json=body) as response:
        document = await response.json(content_type=None)
        check("PATCH", QUEUE, response.status, document)
        return response.status, document


async def test_a_queue_and_a_task_in_it_are_paused_with_the_reason_and_resumed(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        status, _, paused = await service.post(
            f"{QUEUE}/pause", {"reason": "provider down", "until": "30m", "by": "ada"}
        )
        assert (status, paused["paused"]["reason"], paused["paused"]["by"]) == (200, "provider down", "ada")
        assert paused["paused"]["until"] > paused["paused"]["since"]
        await service.post(f"{QUEUE}/pause", {"task": "add"})
        _, _, job = await service.post(f"{QUEUE}/jobs", {"task": "add", "payload": 1})
        assert job["state"] == "held"
        found = (await service.get(QUEUE))[2]
        assert (list(found["paused_tasks"]), found["counts"]["held"]) == (["add"], 1)
        assert (await service.get("/api/v1/queues"))[2]["data"] == [found]
        assert (await service.post(f"{QUEUE}/resume", b""))[2]["paused"] is None
        assert (await service.post(f"{QUEUE}/resume", {"task": "add"}))[2]["paused_tasks"] == {}
        status, changed = await patch(service, {"paused": True, "reason": "again"})
        assert (status, changed["paused"]["reason"]) == (200, "again")
        assert (await patch(service, {"paused": False}))[1]["paused"] is None


async def test_a_full_queue_is_429_with_the_time_to_come_back(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        assert (await patch(service, {"max_waiting": 1}))[1]["max_waiting"] == 1
        job = {"task": "add", "payload": 1}
        assert (await service.post(f"{QUEUE}/jobs", job))[0] == 201
        status, headers, refusal = await service.post(f"{QUEUE}/jobs", job)
        assert (status, refusal["code"], int(headers["Retry-After"]) > 0) == (429, "queue-full", True)
        assert (await patch(service, {"max_waiting": None}))[1]["max_waiting"] is None
        assert (await service.post(f"{QUEUE}/jobs", job))[0] == 201


async def test_a_purge_is_confirmed_by_the_name_of_the_queue_and_told_until_its_end(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        await sums.enqueue_many("sums", "add", range(20), delay=60)
        await sums.enqueue_many("sums", "add", range(10))
        for confirm in ({}, {"confirm": "sum"}):
            status, _, refusal = await service.post(f"{QUEUE}/purge", confirm)
            assert (status, refusal["errors"][0]["pointer"]) == (422, "/confirm")
        status, headers, begun = await service.post(
            f"{QUEUE}/purge", {"confirm": "sums", "states": ["delayed"], "by": "ada"}
        )
        assert (status, begun["state"], begun["total"], begun["by"]) == (202, "running", 20, "ada")
        assert (await service.get(headers["Location"]))[2]["id"] == begun["id"]
        await sums.operation(begun["id"]).wait(10)
        assert (await service.get(headers["Location"]))[2]["done"] == 20
        status, _, drain = await service.post(f"{QUEUE}/drain", {"confirm": "sums"})
        status, _, ended = await service.post(f"/api/v1/operations/{drain['id']}/cancel", {})
        assert (status, ended["state"], ended["done"]) == (200, "cancelled", 0)
        listed = (await service.get("/api/v1/operations"))[2]["data"]
        assert [each["id"] for each in listed] == [drain["id"], begun["id"]]
        assert (await service.get(QUEUE))[2]["counts"]["waiting"] == 10


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("pause", {"until": -1}, "/until"), ("pause", {"reason": "a\nb"}, "/reason"), ("pause", {"task": ""}, "/task"),
        ("purge", {"confirm": "sums", "states": ["active"]}, "/states/0"),
        ("purge", {"confirm": "sums", "states": []}, "/states"), ("pause", {"untill": 1}, "/untill"),
    ],
)  # fmt: skip
async def test_steering_that_cannot_be_is_refused_and_changes_nothing(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, path: str, body: Any, pointer: str
) -> None:
    async with start(settings(), sums) as service:
        status, _, refusal = await service.post(f"{QUEUE}/{path}", body)
        assert (status, refusal["errors"][0]["pointer"]) == (422, pointer)
        assert (await service.get(QUEUE))[2]["paused"] is None
        assert (await patch(service, {"reason": "why"}))[0] == 422
        assert (await patch(service, {"max_waiting": -1}))[0] == 422
        assert (await service.post("/api/v1/queues/none/pause", {}))[0] == 404
        assert (await service.get("/api/v1/operations/sums.0123456789abcdef"))[0] == 404
        assert (await service.get("/api/v1/operations/none"))[0] == 404
