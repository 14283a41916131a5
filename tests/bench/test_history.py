"""The planner's figure of a failed job, compared with a job that a worker has failed."""

from __future__ import annotations

import pytest
import redis

from bench.planning import history
from streamq import App, Backoff
from streamq.model.keys import Keys

from ..rig import ON_ONE_SERVER, until, working


async def _fail(payload: str) -> None:
    """With a long traceback: two functions that call each other, as the lines of one would be counted and left out."""
    await _deeper(99)


async def _deeper(calls: int) -> None:
    await _still_deeper(calls - 1)


async def _still_deeper(calls: int) -> None:
    if not calls:
        raise ValueError("m" * 190)
    await _deeper(calls - 1)


@ON_ONE_SERVER
@pytest.mark.parametrize("attempts", [1, 2, 8, 30])
async def test_a_failed_job_is_as_large_as_the_plan_says(
    app: App, client: redis.Redis, prefix: str, attempts: int
) -> None:
    """The engine decides how much of a history it keeps: when it keeps more, or less, the plan is wrong."""
    task = app.task(name="t", queue="q", attempts=attempts, backoff=Backoff(base=0.001, most=0.001))(_fail)
    async with working(app):
        job = await task.enqueue("x" * 98)
        await until(lambda: client.hexists(Keys(prefix, "q").finished, job.id), 20)
    beside = client.hstrlen(Keys(prefix, "q").finished, job.id) - 100
    assert 0.85 * history.longest(attempts) <= beside <= history.longest(attempts)
