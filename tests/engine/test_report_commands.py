"""``streamq job watch`` and ``streamq job logs``, as people type them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streamq import App, Backoff, Context, Fail

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, working


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_a_job_is_watched_by_commands(app: App, tmp_path: Path, server_url: str, prefix: str) -> None:
    @app.task(queue="q", attempts=1)
    async def steps(x: int, ctx: Context) -> int:
        for number in range(1, x):
            await ctx.progress(number / x, "a step")
            ctx.log(f"line {number}", "warning")
            await asyncio.sleep(0.1)
        ctx.log("the last\nhas two")
        if x == 2:
            raise Fail("as it was told to")
        return x

    job, failing = await steps.enqueue_many([4, 2])
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}

    def run(*calls: tuple[str, ...]) -> list[tuple[int, str, str]]:
        ends = run_all(tmp_path, [Call(call) for call in calls], **environment)
        return [(ended.code, ended.out, ended.err) for ended in ends]

    of_job, of_failing = ("q", job.id), ("q", failing.id)
    early = ("job", "watch", *of_job, "--json"), ("job", "logs", *of_job, "--follow")
    watching = asyncio.create_task(asyncio.to_thread(run, *early))
    await asyncio.sleep(0.5)
    async with working(app):
        (code, out, _), followed = await watching
    events = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [event["text"] for event in events if event["event"] == "line"][:3] == [
        "line 1",
        "line 2",
        "line 3",
    ]
    assert (events[-1]["event"], events[-1]["state"], events[-1]["result"]) == ("end", "completed", 4)
    assert followed[0] == 0
    assert [line.split(" ", 1)[1] for line in followed[1].splitlines()] == [
        "WARNING line 1", "WARNING line 2", "WARNING line 3", "the last\\nhas two",
    ]  # fmt: skip
    watched, logs, got, unknown = await asyncio.to_thread(
        run, ("job", "watch", *of_failing), ("job", "logs", *of_failing, "--json"), ("job", "get", *of_job),
        ("job", "logs", "q", "1-1"),
    )  # fmt: skip
    assert (watched[0], watched[1].splitlines()[-1]) == (1, "failed: Fail: as it was told to")
    assert "progress 50% a step" in watched[1]
    assert (logs[0], [line["number"] for line in json.loads(logs[1])["lines"]]) == (0, [1, 2])
    assert '"note":"a step"' in got[1]
    assert (unknown[0], "no job '1-1'" in unknown[2]) == (3, True)


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_who_watches_a_job_that_completed_is_told_of_no_error_of_an_attempt_before(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    @app.task(queue="q", backoff=Backoff(0.01, 0.01))
    async def second(x: int, ctx: Context) -> None:
        if ctx.attempt == 1:
            raise ValueError(x)

    async with working(app):
        job = await second.enqueue(1)
        await job.result(5)
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    (ended,) = await asyncio.to_thread(
        run_all, tmp_path, [Call(("job", "watch", "q", job.id))], **environment
    )
    assert (ended.code, ended.out.splitlines()) == (0, ["completed"])
