"""Turns by run time: a tenant of long jobs gets as much time as one of short jobs, and not as many jobs."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from streamq import App, Limit

from ..rig import ON_ONE_SERVER, until, working


@ON_ONE_SERVER
@pytest.mark.keeps_keys
@pytest.mark.parametrize("turns", ["jobs", "time"])
async def test_each_tenant_gets_its_share_of_what_turns_are_by(app: App, turns: str) -> None:
    app.limit("q", Limit(turns=turns))  # type: ignore[arg-type]
    ran: Counter[str] = Counter()

    @app.task(queue="q", group="{tenant}")
    async def work(message: dict[str, str | float]) -> None:
        await asyncio.sleep(float(message["seconds"]))
        ran[str(message["tenant"])] += 1

    long, short = {"tenant": "long", "seconds": 0.1}, {"tenant": "short", "seconds": 0.01}
    async with working(app, concurrency=4) as worker:
        await work.enqueue_many([long] * 300)
        await work.enqueue_many([short] * 3_000)
        await until(lambda: ran["long"] >= 24, 20)
        jobs = ran["short"] / ran["long"]
        worker.stop()
        worker.stop()
    assert (0.8 < jobs < 1.3) if turns == "jobs" else (4 < jobs < 13), jobs
