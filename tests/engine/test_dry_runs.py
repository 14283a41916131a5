"""How many jobs an operation would be for, before it is set off."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streamq import App, Counted, InvalidFilter, UsageError

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER


async def test_the_jobs_that_a_filter_means_are_counted_to_the_last_one(app: App) -> None:
    await app.enqueue_many("q", "a", range(2_500), delay=60)
    await app.enqueue_many("q", "b", range(30), delay=60)
    await app.enqueue_many("q", "a", range(5))
    queue = app.queue("q")
    assert await queue.count_all("promote", "task:a") == Counted(2_500, 2_530, True)
    assert (await queue.count_all("cancel", "task:a")).count == 2_505, "those that wait, too"
    assert await queue.count_all("promote", "state:delayed") == Counted(2_530, 0, True)
    assert (await queue.count_all("delete", "task:a")).count == 0
    assert (await queue.counts()).delayed == 2_530, "nothing is changed"


@ON_ONE_SERVER
async def test_a_count_that_takes_too_long_says_that_there_may_be_more(app: App) -> None:
    await app.enqueue_many("q", "a", range(2_500), delay=60)
    found = await app.queue("q").count_all("promote", "task:a", patience=0)
    assert found == Counted(2_000, 2_000, False)


@ON_ONE_SERVER
async def test_what_cannot_be_done_to_a_job_is_not_counted(app: App) -> None:
    with pytest.raises(UsageError, match="retry, cancel"):
        await app.queue("q").count_all("burn", "task:a")
    with pytest.raises(UsageError, match="cannot be"):
        await app.queue("q").count_all("promote", "state:failed")
    with pytest.raises(InvalidFilter):
        await app.queue("q").count_all("promote", "task:")


@ON_ONE_SERVER
async def test_the_command_line_counts_and_changes_nothing(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    await app.enqueue_many("q", "a", range(3), delay=60)
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    asked = ("--q", "task:a", "--dry-run")
    calls = [Call(("job", "promote", "q", *asked)), Call(("job", "cancel", "q", *asked, "--json"))]
    told, said = await asyncio.to_thread(run_all, tmp_path, calls, **environment)
    assert told.out.strip() == "3 jobs; to promote all of them add --all"
    assert json.loads(said.out) == {"count": 3, "looked": 3, "exact": True}
    assert (await app.queue("q").counts()).delayed == 3
