"""What is done to one job through the API: cancelled, changed, tried again, deleted, and made unique."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Context, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]
JOBS = "/api/v1/queues/sums/jobs"


@pytest.fixture
def sums(settings: Callable[..., ServiceSettings]) -> App:
    app = App(settings())

    @app.task(queue="sums")
    async def wait(seconds: float, ctx: Context) -> float:
        await asyncio.sleep(seconds)
        return seconds

    return app


async def _made(service: Service, **options: Any) -> dict[str, Any]:
    _, _, job = await service.post(JOBS, {"task": "wait", "payload": 1, **options})
    return dict(job)


async def test_a_job_is_cancelled_and_tried_again_and_deleted(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        job = await _made(service, delay=60)
        at = f"{JOBS}/{job['id']}"
        status, _, refusal = await service.send("DELETE", at)
        assert (status, refusal["code"], refusal["state"]) == (409, "wrong-state", "delayed")
        assert refusal["allowed"] == ["cancel", "promote", "reschedule", "priority", "edit"]
        status, _, cancelled = await service.post(f"{at}/cancel", {"reason": "no", "by": "ada"})
        assert (status, cancelled["state"]) == (200, "cancelled")
        assert (cancelled["error"]["message"], cancelled["error"]["by"]) == ("no", "ada")
        assert (await service.send("POST", f"{at}/retry"))[2]["state"] == "waiting"
        assert (await service.post(f"{at}/cancel", b""))[0] == 200, "a body may be left out"
        assert (await service.post(f"{at}/cancel", {"reason": "a\nb"}))[0] == 422
        status, _, deleted = await service.send("DELETE", at)
        assert (status, deleted) == (200, {"deleted": job["id"]})
        assert (await service.send("DELETE", at))[0] == 404


async def test_a_running_job_is_told_and_the_answer_says_that_it_runs_yet(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service, work(sums):
        job = await _made(service, payload=60)
        at = f"{JOBS}/{job['id']}"

        async def state() -> str:
            return str((await service.get(at))[2]["state"])

        await until(lambda: _is(state, "active"))
        assert (await service.post(f"{at}/cancel", {}))[0] == 202
        await until(lambda: _is(state, "cancelled"))
        status, _, refusal = await service.post(f"{at}/promote", {})
        assert (status, refusal["allowed"]) == (409, ["retry", "delete"])


async def _is(state: Callable[[], Any], wanted: str) -> bool:
    return bool(await state() == wanted)


async def test_a_change_names_the_version_it_means_and_all_of_it_is_done_or_nothing(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        job = await _made(service, delay=60)
        at = f"{JOBS}/{job['id']}"
        assert (await service.get(at))[1]["ETag"].startswith('"0-')
        change = {"payload": 2.5, "priority": "high", "delay": "2h"}
        status, headers, changed = await service.send("PATCH", at, change, If_Match='"0"')
        assert (status, headers["ETag"][:3], changed["version"]) == (200, '"1-', 1)
        assert (changed["payload"], changed["priority"], changed["state"]) == (2.5, "high", "delayed")
        refusals = [
            ({"payload": 3}, {"If_Match": '"0"'}, 412, "version-conflict"),
            ({"payload": 3, "version": 0}, {}, 412, "version-conflict"),
            ({"payload": 3}, {"If_Match": "new"}, 400, "bad-if-match"),
            ({"payload": "text"}, {}, 422, "validation"),
            ({"payload": 3, "priority": "urgent"}, {}, 422, "validation"),
            ({}, {}, 422, "usage"),
        ]
        for body, said, expected, code in refusals:
            status, _, refusal = await service.send("PATCH", at, body, **said)
            assert (status, refusal["code"]) == (expected, code)
        assert (await service.get(at))[2] == changed
        assert (await service.post(f"{at}/reschedule", {}))[0] == 422
        status, _, later = await service.post(f"{at}/reschedule", {"delay": "3h"}, If_Match=headers["ETag"])
        assert (status, later["version"]) == (200, 2)
        assert (await service.post(f"{at}/promote", b"", If_Match='"2"'))[2]["state"] == "waiting"


async def test_a_unique_key_is_answered_with_the_job_that_has_it(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        body = {"task": "wait", "payload": 1, "key": "k", "expires": "5m", "priority": "low"}
        status, headers, job = await service.post(JOBS, body)
        assert (status, job["disposition"], job["key"], job["priority"]) == (201, "created", "k", "low")
        assert job["expires_at"] is not None
        status, again, same = await service.post(JOBS, body)
        assert (status, same) == (200, {**job, "disposition": "existing"})
        assert again["Location"] == headers["Location"]
        replace = {**body, "payload": 7, "unique": {"conflict": "replace"}}
        status, _, replaced = await service.post(JOBS, replace)
        assert (status, replaced["id"], replaced["payload"]) == (200, job["id"], 7)
        status, _, refusal = await service.post(JOBS, {**body, "unique": {"window": -1, "untill": "x"}})
        assert {error["pointer"] for error in refusal["errors"]} == {"/unique/window", "/unique/untill"}


async def test_a_queue_that_is_full_says_when_to_come_back(
    sums: App, settings: Callable[..., ServiceSettings], start: Start
) -> None:
    async with start(settings(), sums) as service:
        await sums.queue("sums").limit(max_waiting=1)
        await _made(service)
        status, headers, refusal = await service.post(JOBS, {"task": "wait", "payload": 1})
        assert (status, refusal["code"], headers["Retry-After"]) == (429, "queue-full", "2")
        assert (refusal["waiting"], refusal["bound"]) == (1, 1)
