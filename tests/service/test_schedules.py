"""Schedules over HTTP: made, looked at, steered, and refused with the fields that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

SCHEDULES = "/api/v1/schedules"
REPORT = f"{SCHEDULES}/report"
DAILY: dict[str, Any] = {
    "task": "report", "queue": "default", "payload": {"region": "eu"}, "cron": "30 2 * * *", "zone": "Europe/Berlin",
    "calendar": {"holidays": "DE-BY", "blackouts": [["2026-12-24", "2026-12-31"]]},
}  # fmt: skip


@pytest.fixture
async def service(service: Service) -> Service:
    """One that knows the queue of the schedules, as it was used."""
    await service.engine.enqueue("default", "report")
    return service


async def test_a_schedule_is_made_looked_at_steered_and_removed(service: Service) -> None:
    status, _, made = await service.send("PUT", REPORT, DAILY)
    assert (status, made["version"], made["state"], made["source"]) == (200, 1, "active", "api")
    assert {name: made[name] for name in DAILY} == DAILY
    assert (await service.send("PUT", REPORT, DAILY))[2] == made, "the same again changes nothing"
    assert (await service.get(REPORT))[2] == made
    assert (await service.get(SCHEDULES))[2] == {"data": [made]}

    status, _, times = await service.get(f"{REPORT}/preview?count=2")
    assert (status, len(times["data"])) == (200, 2)
    assert times["data"][0]["at"] == made["next_at"]

    status, headers, job = await service.post(f"{REPORT}/run", b"")
    assert status == 201
    assert (await service.get(headers["Location"]))[2]["payload"] == {"region": "eu"}
    _, _, paused = await service.post(f"{REPORT}/pause", {"reason": "a test"})
    assert (paused["state"], paused["paused"]["reason"], paused["next_at"]) == ("paused", "a test", None)
    assert paused["last_job"] == job["id"]
    _, _, resumed = await service.post(f"{REPORT}/resume", b"")
    assert (resumed["state"], resumed["next_at"]) == ("active", made["next_at"])

    status, _, conflict = await service.send("PUT", REPORT, {**DAILY, "version": 7})
    assert (status, conflict["code"]) == (409, "schedule-conflict")
    status, _, removed = await service.send("DELETE", REPORT, b"", Content_Type="text/plain")
    assert (status, removed["name"]) == (200, "report")
    for answered in (
        await service.get(REPORT),
        await service.send("DELETE", REPORT, b""),
        await service.post(f"{REPORT}/run", b""),
    ):
        assert (answered[0], answered[2]["code"]) == (404, "schedule-not-found")


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"cron": "61 * * * *"}, "/cron", "its minute is not possible"),
        ({"zone": "Europe/Berln"}, "/zone", "did you mean Europe/Berlin"),
        ({"every": "5m"}, "/every", "it has cron and every"),
        ({"cron": None, "every": 0.5}, "/every", "greater than or equal to 1"),
        ({"cron": None, "at": "tomorrow"}, "/at", ""),
        ({"calendar": {"holidays": "ZZ"}}, "/calendar", "there are no holidays of 'ZZ'"),
        ({"calendar": {"blackouts": [["22:00"]]}}, "/calendar/blackouts/0", "at least 2"),
        (
            {"calendar": {"blackouts": [["2026-01-01", "9999-12-31"]]}},
            "/calendar",
            "in the years from 1970 to 9000",
        ),
        ({"overlap": "never"}, "/overlap", ""),
        ({"priority": "urgent"}, "/priority", ""),
        ({"queue": "a b"}, "/queue", "is no name"),
        ({"evry": 5}, "/evry", "is not a known field"),
    ],
)
async def test_a_wrong_field_of_a_schedule_is_pointed_at(
    service: Service, change: dict[str, Any], pointer: str, said: str
) -> None:
    status, _, problem = await service.send("PUT", REPORT, {**DAILY, **change})
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert said in problem["errors"][0]["message"]
    assert (await service.get(SCHEDULES))[2] == {"data": []}


async def test_a_schedule_is_refused_as_its_jobs_would_be(service: Service) -> None:
    for queue, task in (("nosuch", "report"), ("send-sms-queue", "send_sm")):
        sent = await service.post(f"/api/v1/queues/{queue}/jobs", {"task": task})
        put = await service.send("PUT", REPORT, {**DAILY, "queue": queue, "task": task})
        assert put[0] == sent[0] in (404, 422)
        assert [put[2][of] for of in ("code", "detail")] == [sent[2][of] for of in ("code", "detail")]
    assert (await service.get(SCHEDULES))[2] == {"data": []}


async def test_a_route_that_does_the_same_again_refuses_a_key_that_would_not_hold(service: Service) -> None:
    await service.send("PUT", REPORT, DAILY)
    for path in (f"{REPORT}/run", "/api/v1/queues/default/purge"):
        status, _, problem = await service.post(path, b"", Idempotency_Key="k")
        assert (status, problem["code"]) == (422, "idempotency-key-unsupported"), path
    assert (await service.get(REPORT))[2]["runs"] == 0


async def test_a_run_that_finds_its_queue_full_is_refused_as_an_enqueue_is(service: Service) -> None:
    status, _, made = await service.send("PUT", REPORT, {**DAILY, "priority": "low"})
    assert (status, made["priority"]) == (200, "low")
    await service.send("PATCH", "/api/v1/queues/default", {"max_waiting": 0})
    status, headers, problem = await service.post(f"{REPORT}/run", b"")
    assert (status, problem["code"], problem["bound"]) == (429, "queue-full", 0)
    assert "Retry-After" in headers


async def test_a_payload_of_a_known_task_is_checked(service: Service) -> None:
    body = {"task": "send-sms", "payload": {"to": 5}, "every": "1h"}
    status, _, problem = await service.send("PUT", REPORT, body)
    assert status == 422
    assert {"/payload/to", "/payload/message"} <= {error["pointer"] for error in problem["errors"]}
    wrong = {**body, "every": None, "cron": "61 * * * *", "zone": "Berln"}
    status, _, problem = await service.send("PUT", REPORT, wrong)
    assert status == 422
    pointers = {error["pointer"] for error in problem["errors"]}
    assert {"/cron", "/zone", "/payload/to", "/payload/message"} <= pointers, "all at once"
    status, _, problem = await service.send("PUT", REPORT, {"task": "nobody", "every": "1h"})
    assert (status, problem["code"]) == (422, "usage")
