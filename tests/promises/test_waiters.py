"""Results that are waited for, with the worker in another process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streamq import App

from ..processes import Fleet
from ..rig import QUICK, until
from ..servers import Server


@pytest.fixture
def fleet(breakable: Server, fleets: list[Fleet], tmp_path: Path) -> Fleet:
    """Worker processes with the default retention: 1,000 completed jobs."""
    fleets.append(Fleet(breakable.url, tmp_path, QUICK))
    return fleets[-1]


async def test_a_gather_of_more_jobs_than_records_are_kept_gets_every_result(
    breakable: Server, fleet: Fleet, producer: Callable[..., Awaitable[App]]
) -> None:
    app = await producer(breakable.url)
    fleet.start("--concurrency", "200")
    await until(app.workers)
    jobs = await app.enqueue_many("q", "work", [{"number": n, "seconds": 0.0} for n in range(3_000)])
    results = await asyncio.gather(*[job.result(60) for job in jobs])
    assert [number for number, _ in results] == list(range(3_000))
    assert (await app.queue("q").counts()).completed == 1_000
