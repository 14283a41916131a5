"""The planner's figure of a failed job, compared with a job that a worker has failed."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bench.planning import history
from streamq import App, Backoff
from streamq.keys import Keys

from ..rig import ON_ONE_SERVER, app, client, make_app, until, working  # noqa: F401  # fixtures among them


@ON_ONE_SERVER
@pytest.mark.parametrize("attempts", [1, 2, 8, 30])
async def test_a_failed_job_is_as_large_as_the_plan_says(
    app: App, client: redis.Redis, prefix: str, attempts: int
) -> None:
    """The engine decides how much of a history it keeps: when it keeps more, or less, the plan is wrong."""
    handler: dict[str, Any] = {}
    exec(  # a long traceback: as many lines as there are functions
        "\n".join([
            "async def f0(p): raise ValueError('m' * 190)",
            *[f"async def f{n}(p): return await f{n - 1}(p)" for n in range(1, 300)],
        ]),
        handler,
    )  # fmt: skip
    task = app.task(name="t", queue="q", attempts=attempts, backoff=Backoff(base=0.001, most=0.001))(handler["f299"])
    async with working(app):
        job = await task.enqueue("x" * 98)
        await until(lambda: client.hexists(Keys(prefix, "q").finished, job.id), 20)
    beside = client.hstrlen(Keys(prefix, "q").finished, job.id) - 100
    assert 0.85 * history.longest(attempts) <= beside <= history.longest(attempts)
