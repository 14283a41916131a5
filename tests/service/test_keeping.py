"""What is kept, through the API: the retention of a queue and of a task, and a queue that is removed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
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


async def test_what_callers_do_is_in_the_audit_trail_under_the_name_of_their_key(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    keys = {"alice-key-0123456789": "admin", "bob-key-0123456789": "write"}
    async with start(settings(api_keys=",".join(f"{key}={scope}" for key, scope in keys.items()))) as service:
        alice, bob = ({**JSON, "Authorization": f"Bearer {key}"} for key in keys)
        job = await service.engine.enqueue("old", "t", 1, delay=60)

        async def post(path: str, body: Any, headers: Any) -> int:
            async with service.http.post(service.url + path, headers=headers, json=body) as response:
                return response.status

        assert await post(f"{QUEUE}/pause", {"reason": "provider down", "by": "ada"}, alice) == 200
        assert await post(f"{QUEUE}/jobs/{job.id}/cancel", {"reason": "no"}, bob) == 200
        assert await post(f"{QUEUE}/jobs/{job.id}/cancel", {}, JSON) == 401
        assert await post(f"{QUEUE}/jobs", {"task": "t", "payload": 1}, bob) == 201
        async with service.http.get(service.url + "/api/v1/audit?limit=1", headers=alice) as response:
            page = await response.json()
            check("GET", "/api/v1/audit?limit=1", response.status, page)
        async with service.http.get(
            service.url + f"/api/v1/audit?cursor={page['page']['next']}", headers=alice
        ) as response:
            rest = await response.json()
    names = [f"key-{sha256(key.encode()).hexdigest()[:8]}" for key in keys]
    found = [(each["action"], each["actor"]) for each in (*page["data"], *rest["data"])]
    assert found == [("job.cancel", names[1]), ("queue.pause", names[0])], "to send work is no act"
    assert rest["data"][0]["details"] == {"reason": "provider down", "by": "ada"}


async def test_without_keys_whoever_acts_is_anonymous_and_a_wrong_cursor_is_refused(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings()) as service:
        await service.engine.enqueue("old", "t", 1)
        await ask(service, "POST", f"{QUEUE}/pause", {})
        _, page = await ask(service, "GET", "/api/v1/audit?queue=old")
        assert [each["actor"] for each in page["data"]] == ["anonymous"]
        assert (await ask(service, "GET", "/api/v1/audit?cursor=x"))[0] == 400
        assert (await ask(service, "GET", "/api/v1/audit?limit=0"))[0] == 422
