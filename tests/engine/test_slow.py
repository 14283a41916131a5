"""Which jobs are slow: those that run now, and those that have run."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streamq import App, SlowJobs, UsageError

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working


async def ended(app: App, count: int) -> SlowJobs | None:
    """What is slow, once so many have ended and are counted."""
    found = await app.slow()
    return found if len(found.finished) == count else None


@ON_ONE_SERVER
async def test_the_slowest_jobs_are_told_those_that_run_and_those_that_have_ended(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    let_go = asyncio.Event()

    @app.task(queue="q", attempts=1)
    async def nap(seconds: float) -> None:
        await (asyncio.sleep(seconds) if seconds < 1 else let_go.wait())
        if seconds == 0.2:
            raise ValueError("overslept")

    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    jobs = await nap.enqueue_many([0.1, 9.0, 0.2, 0.0])
    async with working(app):
        found = await until(lambda: ended(app, 3))
        assert [job.job for job in found.finished] == [jobs[2].id, jobs[0].id, jobs[3].id]
        assert [job.state for job in found.finished] == ["failed", "completed", "completed"]
        assert found.finished[0].seconds >= 0.2
        assert (found.looked_at, found.complete) == (3, True)
        (running,) = found.running
        assert (running.job, running.state, running.seconds > 0.2) == (jobs[1].id, "active", True)
        (shown,) = await asyncio.to_thread(run_all, tmp_path, [Call(("slow", "--json"))], **environment)
        assert json.loads(shown.out)["running"][0]["job"] == jobs[1].id
        assert len((await app.slow(limit=1)).finished) == 1
        let_go.set()


@ON_ONE_SERVER
async def test_only_a_number_of_slow_jobs_that_can_be_is_told(app: App) -> None:
    for wrong in (0, 101, True, "3"):
        with pytest.raises(UsageError, match="1 to 100"):
            await app.slow(limit=wrong)  # type: ignore[arg-type]
