"""What one job tells over HTTP: its progress, its log, and all of it as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from streamq_service.api import reports
from streamq_service.settings import ServiceSettings

from streamq import App, Context, Worker

from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]


def declare(service: Service) -> Any:
    @service.engine.task(queue="q")
    async def steps(x: int, ctx: Context) -> int:
        for number in range(x):
            await ctx.progress(number / x, "a step")
            ctx.log(f"line {number}", "warning")
            await asyncio.sleep(0.06)
        return x

    return steps


async def events_of(response: aiohttp.ClientResponse) -> list[tuple[str, str, Any]]:
    """Id, name and data of each event until the stream ends."""
    found = []
    for frame in (await response.read()).decode().split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in frame.splitlines() if not line.startswith((":", "retry"))
        )
        if fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


async def test_a_job_tells_over_http_what_it_tells_in_python(service: Service, work: Work) -> None:
    job = await declare(service).enqueue(5)
    path = f"/api/v1/queues/q/jobs/{job.id}"
    async with service.http.get(service.url + path + "/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        async with work(service.engine):
            events = await events_of(response)
    assert [number for number, name, _ in events if name == "line"] == list("12345")
    assert [data["state"] for _, name, data in events if name == "state"] == ["waiting", "active"]
    assert events[-1][1] == "end"
    assert (events[-1][2]["state"], events[-1][2]["result"]) == ("completed", 5)
    _, _, shown = await service.get(path)
    assert (shown["progress"]["value"], shown["progress"]["note"]) == (0.8, "a step")
    assert [data for _, name, data in events if name == "progress"][-1] == shown["progress"]
    status, _, log = await service.get(path + "/logs?after=3")
    assert (status, log["written"], log["dropped"]) == (200, 5, 0)
    assert [(line["number"], line["level"], line["text"]) for line in log["data"]] == [
        (4, "warning", "line 3"), (5, "warning", "line 4"),
    ]  # fmt: skip
    headers = {"Last-Event-ID": "4"}  # as a browser that comes again
    async with service.http.get(service.url + path + "/events", headers=headers) as response:
        assert [number for number, name, _ in await events_of(response) if name == "line"] == ["5"]


async def test_what_is_not_there_is_a_problem(service: Service) -> None:
    await declare(service).enqueue(1)
    for path in ("/api/v1/queues/q/jobs/1-1/logs", "/api/v1/queues/q/jobs/1-1/events"):
        status, _, problem = await service.get(path)
        assert (status, problem["code"]) == (404, "job-not-found")
    status, _, problem = await service.get("/api/v1/queues/q/jobs/1-1/logs?after=-1")
    assert (status, problem["errors"][0]["pointer"]) == (422, "/after")


async def test_streams_of_jobs_have_the_places_of_the_live_counts_and_end_with_the_service(
    settings: Callable[..., ServiceSettings], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "LOOK", 0.05)
    async with aiohttp.ClientSession() as http, start(settings(max_watchers=4)) as service:
        job = await declare(service).enqueue(1)
        url = f"{service.url}/api/v1/queues/q/jobs/{job.id}/events"
        held = await http.get(url)
        status, _, problem = await service.get(f"/api/v1/queues/q/jobs/{job.id}/events")
        assert (status, problem["code"]) == (429, "too-many-watchers")
        held.close()

        async def let_in() -> aiohttp.ClientResponse | None:
            response = await http.get(url)
            return response if response.status == 200 else None

        stream = await until(let_in)
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0.1)
    assert b"event: state" in await reading  # though the job goes on


async def test_a_result_that_is_not_kept_is_said_to_be_so(service: Service, work: Work) -> None:
    declare(service)
    async with work(service.engine):
        status, _, job = await service.post(
            "/api/v1/queues/q/jobs", {"task": "steps", "payload": 1, "keep_result": 0}, Prefer="wait=10"
        )
    assert (status, job["state"], job["result"], job["result_kept"]) == (200, "completed", None, False)
