"""What is kept, through the API: the retention of a queue and of a task, and a queue that is removed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from ..rig import ON_ONE_SERVER
from .conftest import JSON, Service
from .declared import check

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Start = Callable[..., AbstractAsyncContextManager[Service]]
QUEUE = "/api/v1/queues/old"


async def ask(service: Service, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    headers = JSON if body is not None else {}
    async with service.http.request(method, service.url + path, headers=headers, json=body) as response:
        document = await response.json(content_type=None)
        check(method, path, response.status, document)
        return response.status, document


async def test_a_retention_is_told_to_a_queue_and_of_a_task_and_taken_back(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings()) as service:
        await service.engine.enqueue("old", "t", 1)
        status, told = await ask(
            service, "PATCH", QUEUE, {"retention": {"completed": 10, "failed_for": "14d"}}
        )
        assert (status, told["retention"]["completed"], told["retention"]["failed_for"]) == (
            200,
            10,
            1_209_600,
        )
        await ask(service, "PATCH", QUEUE, {"retention": {"task": "t", "completed": 0}})
        status, told = await ask(service, "PATCH", QUEUE, {"retention": {"completed": None}})
        assert (told["retention"]["completed"], told["retention"]["tasks"]["t"]["completed"]) == (None, 0)
        status, wrong = await ask(service, "PATCH", QUEUE, {"retention": {"completed": -1, "failed_for": 0}})
        assert (status, len(wrong["errors"])) == (422, 2)


async def test_a_queue_is_removed_when_it_is_empty_or_purged(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings()) as service:
        await service.engine.enqueue("old", "t", 1)
        status, problem = await ask(service, "DELETE", QUEUE)
        assert (status, problem["code"], problem["counts"]["waiting"]) == (409, "queue-not-empty", 1)
        assert await ask(service, "DELETE", f"{QUEUE}?purge=true") == (200, {"deleted": "old"})
        status, problem = await ask(service, "DELETE", QUEUE)
        assert (status, problem["code"]) == (404, "queue-not-found")
        status, problem = await ask(service, "DELETE", f"{QUEUE}?purge=perhaps")
        assert status == 422
