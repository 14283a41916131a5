"""Why a job does not run, and what the jobs of a time came to, through the API and on the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from streamq_service.settings import ServiceSettings

from streamq import App, Worker

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until
from .conftest import Service

pytestmark = [pytest.mark.keeps_keys, ON_ONE_SERVER]

Work = Callable[[App], AbstractAsyncContextManager[Worker]]
Start = Callable[..., AbstractAsyncContextManager[Service]]
QUEUE = "/api/v1/queues/sums"


async def test_a_job_says_why_it_does_not_run_and_what_ran_is_counted(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, work: Work
) -> None:
    async with start(settings(), sums) as service:
        await service.post(f"{QUEUE}/pause", {"reason": "provider down", "by": "ada"})
        _, _, job = await service.post(f"{QUEUE}/jobs", {"task": "add", "payload": 1})
        status, _, why = await service.get(f"{QUEUE}/jobs/{job['id']}/why")
        assert (status, why["code"], why["by"], why["ahead"]) == (200, "queue-paused", "ada", None)
        assert (await service.get(f"{QUEUE}/jobs/1-1/why"))[0] == 404
        await service.post(f"{QUEUE}/resume", {})
        async with work(sums):

            async def counted() -> bool:
                found = (await service.get(f"{QUEUE}/stats?since=5m&task=add"))[2]
                return bool(found["total"]["completed"] == 1 and found["tasks"].keys() == {"add"})

            await until(counted)
        (every,) = (await service.get("/api/v1/stats?since=2h&step=1h"))[2]["data"]
        assert (every["queue"], every["step"], every["total"]["completed"]) == ("sums", 3600, 1)
        assert (await service.get("/api/v1/queues/sum/stats"))[2]["did_you_mean"] == ["sums"]


@pytest.mark.parametrize(
    ("query", "code", "member"),
    [
        ("since=2d&step=1m", "window-not-kept", "oldest"), ("since=100d", "window-not-kept", "oldest"),
        ("since=9999999999999999d", "validation", "errors"), ("since=999y", "validation", "errors"),
        ("since=soon", "validation", "errors"), ("since=2026-11-27T10:00:00", "validation", "errors"),
        ("since=1h&until=2h", "usage", "detail"), ("step=90s", "usage", "detail"), ("sinse=1h", "validation", "errors"),
    ],
)  # fmt: skip
async def test_a_time_of_which_nothing_can_be_told_is_refused(
    sums: App, settings: Callable[..., ServiceSettings], start: Start, query: str, code: str, member: str
) -> None:
    async with start(settings(), sums) as service:
        status, _, refusal = await service.get(f"{QUEUE}/stats?{query}")
        assert (status, refusal["code"], member in refusal) == (422, code, True), refusal


async def test_commands_say_the_same_with_their_exit_codes(
    sums: App, server_url: str, prefix: str, tmp_path: Path, work: Work
) -> None:
    async with sums, work(sums):
        job = await sums.enqueue("sums", "add", 1, delay=50)
        await (await sums.enqueue("sums", "add", 2)).result(5)
        await until(lambda: _counted(sums))
        calls = [
            ("job", "why", "sums", job.id), ("job", "why", "sums", job.id, "--json"), ("job", "why", "sums", "1-1"),
            ("stats",), ("stats", "sums", "--json"), ("stats", "sum"),
            ("stats", "sums", "--since", "40h", "--step", "5m"), ("stats", "--task", "add"), ("stats", "sums"),
        ]  # fmt: skip
        environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
        ends = await asyncio.to_thread(run_all, tmp_path, [Call(call) for call in calls], **environment)
    assert [ended.code for ended in ends] == [0, 0, 3, 0, 0, 3, 2, 2, 0], ends
    why, why_json, _, every, one, _, old, _, shown = ends
    assert why.out.startswith("due-later: it is due in ")
    assert json.loads(why_json.out)["code"] == "due-later"
    assert every.out.splitlines()[1].split()[:2] == ["sums", "1"]
    assert json.loads(one.out)["total"]["completed"] == 1
    assert "use step='1h' or longer" in old.err
    assert "█" in shown.out


async def _counted(app: App) -> bool:
    return (await app.queue("sums").statistics("5m")).total.completed == 1
