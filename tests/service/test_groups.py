"""Groups through the API: limited, paused, looked at, and given with a job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App

from ..rig import ON_ONE_SERVER, until
from .conftest import JSON, Service, running, working
from .declared import check

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Start = Callable[..., AbstractAsyncContextManager[Service]]
GROUPS = "/api/v1/queues/sms/groups"


async def ask(service: Service, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with service.http.request(method, service.url + path, headers=JSON, json=body) as response:
        document = await response.json(content_type=None)
        check(method, path, response.status, document)
        return response.status, document


async def test_a_group_is_limited_paused_and_looked_at(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    app = App(settings())

    @app.task(queue="sms")
    async def t() -> None: ...

    async with start(settings(), app) as service:
        jobs = "/api/v1/queues/sms/jobs"
        for group in ("66338", "66338", "7:c-9"):
            status, made = await ask(service, "POST", jobs, {"task": "t", "group": group})
            assert (status, made["group"], made["state"]) == (201, group, "held")
        status, problem = await ask(service, "POST", jobs, {"task": "t", "group": "a:b:c"})
        assert (status, problem["errors"][0]["pointer"]) == (422, "/group")

        status, told = await ask(
            service, "PUT", f"{GROUPS}/66338", {"rate": "10/s", "concurrency": 2, "max_waiting": 2}
        )
        assert (status, told["own_limit"]) == (200, {"rate": "10/s", "concurrency": 2, "max_waiting": 2})
        status, full = await ask(service, "POST", jobs, {"task": "t", "group": "66338"})
        assert (status, full["code"], full["group"], full["waiting"]) == (429, "group-full", "66338", 2)
        for wrong in ({"rate": "0/s"}, {"concurrency": 0}, {"weight": 0}):
            status, problem = await ask(service, "PUT", f"{GROUPS}/66338", wrong)
            assert (status, problem["code"], problem["part"]) == (422, "invalid-limit", next(iter(wrong)))

        status, paused = await ask(
            service, "POST", f"{GROUPS}/7:c-9/pause", {"reason": "429", "until": "5m", "by": "ada"}
        )
        assert (status, paused["paused"]["reason"], paused["waiting"]) == (200, "429", 1)
        _, listed = await ask(service, "GET", f"{GROUPS}?order=longest&limit=5")
        assert [(group["name"], group["waiting"]) for group in listed["data"]] == [("66338", 2), ("7:c-9", 1)]
        _, tenant = await ask(service, "GET", f"{GROUPS}/7")
        assert (tenant["waiting"], tenant["limit"]) == (1, {})
        _, why = await ask(service, "GET", f"{jobs}/{made['id']}/why")
        assert (why["code"], why["until"]) == ("group-paused", paused["paused"]["until"])
        _, resumed = await ask(service, "POST", f"{GROUPS}/7:c-9/resume")
        assert resumed["paused"] is None

        status, told = await ask(service, "DELETE", f"{GROUPS}/66338")
        assert (status, told) == (200, {"name": "66338", "own_limit": {}})
        status, problem = await ask(service, "GET", f"{GROUPS}/a:b:c")
        assert (status, problem["code"]) == (422, "invalid-limit")
        status, _ = await ask(service, "PATCH", "/api/v1/queues/sms", {"concurrency": 50, "rate": "100/s"})
        assert status == 200
        assert (await app.queue("sms").limits())["queue"].told.asdict() == {
            "concurrency": 50,
            "rate": "100/s",
        }


async def test_shared_limits_and_breakers_are_told_looked_at_and_steered(
    settings: Callable[..., ServiceSettings], start: Start
) -> None:
    app = App(settings())

    @app.task(queue="sms")
    async def t() -> None: ...

    one = "/api/v1/shared-limits/provider"
    async with start(settings(), app) as service:
        status, told = await ask(service, "PUT", one, {"rate": "100/s", "concurrency": 5})
        assert (status, told["told_limit"]) == (200, {"rate": "100/s", "concurrency": 5})
        status, paused = await ask(service, "POST", f"{one}/pause", {"reason": "429", "until": "5m"})
        assert (status, paused["paused"]["reason"]) == (200, "429")
        assert (await ask(service, "POST", f"{one}/resume"))[1]["paused"] is None
        status, listed = await ask(service, "GET", "/api/v1/shared-limits")
        assert (status, [each["name"] for each in listed["data"]]) == (200, ["provider"])
        assert (await ask(service, "DELETE", one))[1]["limit"] == {}
        for wrong in ({"rate": "0/s"}, {"concurrency": 0}):
            status, problem = await ask(service, "PUT", one, wrong)
            assert (status, problem["code"]) == (422, "invalid-limit")

        of = "/api/v1/queues/sms/breaker"
        status, problem = await ask(service, "POST", f"{of}/open?task=t")
        assert (status, problem["code"]) == (422, "usage"), problem
        assert (await ask(service, "PUT", f"{GROUPS}/66338", {"breaker": "50%/1m"}))[0] == 200
        status, opened = await ask(service, "POST", f"{of}/open?group=66338", {"reason": "down", "by": "ada"})
        assert (status, opened["state"], opened["pause"]["by"]) == (200, "open", "ada")
        status, listed = await ask(service, "GET", "/api/v1/queues/sms/breakers")
        assert (status, [each["scope"] for each in listed["data"]]) == (200, ["group:66338"])
        assert (await ask(service, "POST", f"{of}/close?group=66338"))[1]["state"] == "closed"
        assert (await ask(service, "GET", f"{of}?group=66338"))[1]["breaker"] == "50%/m"


async def test_jobs_are_listed_by_their_group(service: Service) -> None:
    for number, group in enumerate(("a", "a:b", "b", None)):
        await service.engine.enqueue("q", "t", number, group=group)
    for query, found in (
        ("group=a", [0, 1]),
        ("group=a%3Ab", [1]),
        ("group=a&q=payload%3E0%20or%20payload%3A7", [1]),
        ("group=a&task=t&state=held", [0, 1]),
        ("group=nobody", []),
    ):
        status, _, page = await service.get(f"/api/v1/queues/q/jobs?{query}")
        assert (status, sorted(job["payload"] for job in page["data"])) == (200, found), query
    status, _, problem = await service.get("/api/v1/queues/q/jobs?group=a%3Ab%3Ac")
    assert (status, problem["errors"][0]["pointer"]) == (422, "/group")


async def test_a_queue_tells_what_its_groups_came_to_and_one_of_them_step_by_step(
    sums: App, settings: Callable[..., ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamq.worker.tally.GROUPS_EVERY", 1)
    async with running(settings(), sums) as service, working(sums):
        path = "/api/v1/queues/sums"
        for group in ("acme", "acme:contact-1", "bell"):
            job = {"task": "add", "payload": 1, "group": group}
            assert (await service.post(f"{path}/jobs", job))[0] == 201
        found = await until(lambda: _grouped(service, f"{path}/stats?by=group"))
        assert {name: each["completed"] for name, each in found["groups"].items()} == {"acme": 2, "bell": 1}
        _, _, one = await service.get(f"{path}/stats?group=acme")
        assert (one["group"], one["total"]["completed"], one["tasks"]) == ("acme", 2, {})
        status, _, problem = await service.get(f"{path}/stats?group=acme:contact-1")
        assert (status, "by tenant" in problem["detail"]) == (422, True)


async def _grouped(service: Service, path: str) -> Any:
    _, _, found = await service.get(path)
    return found if sum(each["completed"] for each in found["groups"].values()) == 3 else None
