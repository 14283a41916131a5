"""Priorities of jobs: the lanes into which they come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import redis

from streamq import App, UsageError
from streamq.model.keys import Keys
from streamq.model.lanes import BY_PRIORITY, PRIORITIES


async def test_a_job_lies_in_the_lane_of_its_priority_and_is_found_by_its_id(
    app: App, client: redis.Redis, prefix: str
) -> None:
    for priority in PRIORITIES:
        for at in (None, datetime(2020, 1, 1, tzinfo=UTC)):
            job = await app.enqueue("q", "t", priority, priority=priority, at=at)
            assert (await app.queue("q").get(job.id)).payload == priority
    async with app.client.store.pool.links() as links:
        await app.client.store.delayed.promote(links, ["q"], 10)
    assert {p: client.xlen(Keys(prefix, "q").lanes[n - 1]) for p, n in BY_PRIORITY.items()} == dict.fromkeys(
        PRIORITIES, 2
    )


async def test_ids_of_jobs_of_all_priorities_are_different_and_in_the_order_of_their_births(app: App) -> None:
    ids: list[str] = []
    for priority in PRIORITIES * 3:
        ids += [job.id for job in await app.enqueue_many("q", "t", range(600), priority=priority)]
    assert len(set(ids)) == len(ids)
    born = [int(job_id.split("-")[0]) for job_id in ids]
    assert born == sorted(born)


async def test_an_unknown_priority_is_refused_with_those_there_are(app: App) -> None:
    with pytest.raises(UsageError, match="critical, high, normal, low"):
        await app.enqueue("q", "t", 1, priority="urgent")  # type: ignore[arg-type]
