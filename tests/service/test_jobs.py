"""Jobs of any task through the API: created, looked at, listed, tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamq_service.messaging import CHANNELS
from streamq_service.settings import ServiceSettings

from streamq import App, Fail, Worker

from ..rig import ON_ONE_SERVER
from .conftest import Service

pytestmark = pytest.mark.keeps_keys

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]
MESSAGE = {"to": "+15550100", "message": "hello", "workspace_id": 66338}
JOBS = "/api/v1/queues/sums/jobs"


@pytest.fixture
def sums(settings: Callable[..., ServiceSettings]) -> App:
    """An app of somebody else: it adds, and refuses to add zero."""
    app = App(settings())

    @app.task(queue="sums", attempts=1)
    async def add(left: int, right: int) -> int:
        if not right:
            raise Fail("nothing to add")
        return left + right

    return app


LATER: list[tuple[dict[str, Any], str]] = [
    ({"delay": 60}, "delayed"),
    ({"delay": "1.0025s"}, "delayed"),
    ({"delay": 0.0001}, "waiting"),
    ({}, "waiting"),
    ({"at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, "delayed"),
]


@ON_ONE_SERVER
@pytest.mark.parametrize(
    ("when", "state"), LATER, ids=("a minute", "a fraction", "too short", "now", "a moment")
)
async def test_a_created_job_is_answered_whole_with_its_place(
    service: Service, when: dict[str, Any], state: str
) -> None:
    body = {"task": "send-sms", "payload": MESSAGE, "attempts": 3, "timeout": "5s", **when}
    body |= {"durability": "memory", "priority": "normal", "key": None}
    status, headers, job = await service.post("/api/v1/queues/send-sms-queue/jobs", body)
    assert status == 201
    assert headers["Location"] == f"/api/v1/queues/send-sms-queue/jobs/{job['id']}"
    assert {name: job[name] for name in ("queue", "task", "state", "attempt", "attempts", "priority")} == {
        "queue": "send-sms-queue",
        "task": "send-sms",
        "state": state,
        "attempt": 0,
        "attempts": 3,
        "priority": "normal",
    }
    assert {"payload", "group", "key", "crashes", "created_at", "due_at", "started_at"} <= job.keys()
    assert {"finished_at", "progress", "result", "error", "worker"} <= job.keys()
    assert {**(await service.get(headers["Location"]))[2], "disposition": "created"} == job


@ON_ONE_SERVER
async def test_a_caller_may_wait_for_the_result(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service, work(sums):
        body = {"task": "add", "payload": {"left": 2, "right": 3}}
        status, headers, job = await service.post(JOBS, body, Prefer="respond-async, wait=10")
        assert (status, job["state"], job["result"]) == (200, "completed", 5)
        assert headers["Preference-Applied"] == "wait=10"


@ON_ONE_SERVER
async def test_a_job_that_is_not_ready_in_time_is_accepted(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        body = {"task": "add", "payload": {"left": 2, "right": 3}}
        status, headers, job = await service.post(JOBS, body, Prefer="wait=1")
        assert (status, job["state"]) == (202, "waiting")
        assert headers["Location"].endswith(job["id"])
        for long in ("wait=61", f"wait={10**20}", 'x="a, wait=1", wait="61"; y'):
            status, _, problem = await service.post(JOBS, body, Prefer=long)
            assert (status, problem["code"]) == (422, "wait-too-long"), long


@ON_ONE_SERVER
async def test_a_wait_is_read_as_preferences_are_and_what_is_no_whole_number_is_ignored(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        body = {"task": "add", "payload": {"left": 2, "right": 3}}
        async with work(sums):
            for said in ("WAIT=9", 'wait="9"', "respond-async, wait = 9; a=b", "wait=9, wait=61"):
                status, headers, _ = await service.post(JOBS, body, Prefer=said)
                assert (status, headers["Preference-Applied"]) == (200, "wait=9"), said
        for said in (
            "wait=1e9",
            "wait=1.5",
            "wait=\u0663",
            "wait=-1",
            "wait",
            'x="wait=9',
            "xwait=9",
            "a-wait=9",
        ):
            status, headers, _ = await service.post(JOBS, body, Prefer=said)
            assert (status, headers.get("Preference-Applied")) == (201, None), said


@ON_ONE_SERVER
async def test_a_failed_job_can_be_tried_again_and_no_other(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        async with work(sums):
            body = {"task": "add", "payload": {"left": 2, "right": 0}}
            _, _, job = await service.post(JOBS, body, Prefer="wait=10")
        assert (job["state"], job["error"]["message"]) == ("failed", "nothing to add")
        status, _, again = await service.post(f"{JOBS}/{job['id']}/retry", b"")
        assert (status, again["state"], again["id"]) == (200, "waiting", job["id"])
        status, _, problem = await service.post(f"{JOBS}/{job['id']}/retry", b"")
        assert (status, problem["code"], problem["state"]) == (409, "wrong-state", "waiting")
        assert "allowed" in problem


@ON_ONE_SERVER
async def test_of_20_who_try_a_job_again_at_once_one_does_and_19_are_told_its_state(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        async with work(sums):
            body = {"task": "add", "payload": {"left": 2, "right": 0}}
            _, _, job = await service.post(JOBS, body, Prefer="wait=10")
        said = await asyncio.gather(*[service.post(f"{JOBS}/{job['id']}/retry", b"") for _ in range(20)])
        assert sorted(status for status, _, _ in said) == [200] + [409] * 19
        told = {(problem["code"], problem["state"]) for status, _, problem in said if status == 409}
        assert told == {("wrong-state", "waiting")}
        entry = (
            await sums.client.store.pool.call_home("HGET", sums.client.store.keys("sums").moved, job["id"])
        ).decode()
        status, _, problem = await service.get(f"{JOBS}/{entry.split()[1]}")
        assert (status, problem["code"]) == (404, "job-not-found"), "the entry is no id of a job"


@ON_ONE_SERVER
async def test_a_job_that_another_program_nested_too_deep_is_shown_without_that(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        keys, deep = sums.client.store.keys("sums"), b"[" * 253 + b"]" * 253
        await sums.client.store.pool.call_home(
            "XADD", keys.ready, "*", "task", "add", "payload", deep, "headers", ""
        )
        await sums.client.store.pool.call_home(
            "HSET", keys.finished, "1795449758578-1", b"c5 2 w\nadd\n\n" + deep + b"\n1"
        )
        await sums.client.store.pool.call_home(
            "HSET", keys.finished, "1795449758578-2", b"c5 2 w\nadd\n\n1e999\n" + b"9" * 30
        )
        await sums.client.store.pool.call_home("RPUSH", keys.completed, "1795449758578-1", "1795449758578-2")
        status, _, page = await service.get(JOBS)
        assert status == 200
        waiting, infinite, completed = page["data"]
        assert waiting["payload"] == completed["result"] == "(not shown: nested more than 200 levels deep)"
        assert (infinite["payload"], completed["payload"]) == (int("9" * 30), 1)
        for job in page["data"]:
            assert (await service.get(f"{JOBS}/{job['id']}"))[0] == 200
        body = b'{"task":"add","payload":' + b"[" * 600 + b"]" * 600 + b"}"
        assert (await service.post(JOBS, body))[0] == 422


@ON_ONE_SERVER
@pytest.mark.parametrize("limit", [2, 3, 4])
async def test_jobs_are_listed_by_state_in_pages_that_meet(service: Service, limit: int) -> None:
    """Also where a page ends with a state, and where one holds the end of a state and the begin of the next."""
    for number in range(7):
        body = {"task": "send-sms", "payload": {**MESSAGE, "message": str(number)}, "delay": number // 4 * 60}
        await service.post("/api/v1/queues/send-sms-queue/jobs", body)
    for query, expected in (("state=waiting", "0123"), ("state=delayed", "456"), ("", "0123456")):
        seen: list[str] = []
        cursor = ""
        while True:
            _, _, page = await service.get(
                f"/api/v1/queues/send-sms-queue/jobs?{query}&limit={limit}{cursor}".replace("?&", "?")
            )
            assert len(page["data"]) <= limit
            seen += [job["payload"]["message"] for job in page["data"]]
            if page["page"]["next"] is None:
                break
            cursor = f"&cursor={page['page']['next']}"
        assert sorted(seen) == list(expected)


@ON_ONE_SERVER
async def test_a_page_that_ends_with_a_state_leads_to_the_next_state(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        body = {"task": "add", "payload": {"left": 2, "right": 3}}
        async with work(sums):
            for right in (1, 2, 0, 0):
                await service.post(JOBS, {**body, "payload": {"left": 2, "right": right}}, Prefer="wait=10")
        for delay in (0, 0, 60, 60):
            await service.post(JOBS, {**body, "delay": delay})
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            _, _, page = await service.get(f"{JOBS}?limit=2" + (f"&cursor={cursor}" if cursor else ""))
            seen += [job["state"] for job in page["data"]]
            cursor = page["page"]["next"]
        assert sorted(seen) == ["completed"] * 2 + ["delayed"] * 2 + ["failed"] * 2 + ["waiting"] * 2


@ON_ONE_SERVER
async def test_an_unknown_job_is_not_found(service: Service) -> None:
    for job_id in ("1-0", "nonsense", "1795476573559-0", "%00", "1-0%0a", "%C2%B2-0", "9" * 5000 + "-0"):
        status, _, problem = await service.get(f"/api/v1/queues/send-sms-queue/jobs/{job_id}")
        assert (status, problem["code"]) == (404, "job-not-found")


@ON_ONE_SERVER
async def test_an_unknown_queue_is_not_found_with_the_one_that_was_meant(service: Service) -> None:
    for path in ("", "/jobs", "/jobs/1-0"):
        status, _, problem = await service.get("/api/v1/queues/send-sms-que" + path)
        assert (status, problem["code"]) == (404, "queue-not-found")
        assert problem["did_you_mean"][0] == "send-sms-queue"
    body = {"task": "send-sms", "payload": MESSAGE}
    status, _, _ = await service.post("/api/v1/queues/send-sms-que/jobs", body)
    assert status == 404


@ON_ONE_SERVER
async def test_an_unknown_task_is_refused_with_those_that_are_known(service: Service) -> None:
    body = {"task": "send-fax", "payload": MESSAGE}
    status, _, problem = await service.post("/api/v1/queues/send-sms-queue/jobs", body)
    assert (status, problem["code"], problem["known_tasks"]) == (422, "unknown-task", ["send-sms"])
    assert await service.jobs() == 0


@ON_ONE_SERVER
async def test_a_queue_that_others_serve_takes_tasks_that_are_not_known_here(
    sums: App, service: Service
) -> None:
    async with sums:
        await sums.enqueue("sums", "add", {"left": 1, "right": 1})
    body: dict[str, Any] = {"task": "subtract", "payload": [1, 2]}
    status, _, job = await service.post(JOBS, body)
    assert (status, job["state"], job["payload"]) == (201, "waiting", [1, 2])


@ON_ONE_SERVER
async def test_an_app_without_messages_takes_none(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        body = {"to": "+15550100", "message": "hello", "workspaceId": 1}
        status, _, problem = await service.post("/api/schedule-sms", body)
        assert (status, problem["code"]) == (404, "no-messaging")
        assert await service.jobs() == 0


@ON_ONE_SERVER
async def test_queues_tell_their_counts_and_workers_who_they_are(service: Service, work: Work) -> None:
    await service.post(
        "/api/v1/messages/sms", {"to": "+15550100", "message": "hi", "workspaceId": 1, "delay": 60}
    )
    _, _, queues = await service.get("/api/v1/queues")
    named = {queue["name"]: queue for queue in queues["data"]}
    assert list(named) == sorted(queue for channel in CHANNELS for queue in channel.queues)
    _, _, queue = await service.get("/api/v1/queues/scheduled-sms-queue")
    assert queue == named["scheduled-sms-queue"]
    assert queue["counts"]["delayed"] == 1
    assert (await service.get("/api/v1/workers"))[2] == {"data": []}
    async with work(service.engine) as worker:
        await service.post(
            "/api/schedule-sms", {"to": "+15550100", "message": "hi", "workspaceId": 1}, Prefer="wait=10"
        )
        _, _, workers = await service.get("/api/v1/workers")
        assert [told["name"] for told in workers["data"]] == [worker.name]
