"""What of a queue holds through each change of its partitions: its bounds, its requests, its upkeep, its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis

from streamq import App, JobNotFound, QueueFull, QueueNotEmpty

from ..rig import ON_ONE_SERVER, until, working
from .parted import QUEUE

pytestmark = ON_ONE_SERVER


@pytest.mark.parametrize("by", ["group", "key"])
async def test_a_request_that_comes_again_after_a_change_finds_its_job(parted: App, by: str) -> None:
    ids: list[set[str]] = [set() for _ in range(8)]
    async with working(parted):
        for partitions in (4, 16):
            await parted.queue(QUEUE).partition(partitions)
            for number, found in enumerate(ids):
                async with parted.once(QUEUE, f"request {number}", b"body") as request:
                    job = await request.enqueue("send", number, **{by: f"{by}{number}"})  # type: ignore[arg-type]
                found.add(job.id)
                await job.result(10)
    assert [len(found) for found in ids] == [1] * 8


async def test_a_bound_of_waiting_jobs_is_of_all_partitions_and_said_in_its_own_numbers(
    make_app: Callable[..., App],
) -> None:
    async with make_app() as app:
        queue = app.queue("q")
        await queue.partition(16)
        await queue.limit(max_waiting=100)
        for _ in range(5):
            await app.enqueue_many("q", "t", list(range(20)))
        with pytest.raises(QueueFull) as refused:
            await app.enqueue("q", "t", 1)
        assert (refused.value.waiting, refused.value.bound) == (100, 100)


@pytest.mark.parametrize("job_id", ["5-0.64", "5-0.99"])
async def test_an_id_of_a_partition_that_cannot_be_is_that_of_no_job(parted: App, job_id: str) -> None:
    assert await parted.find(job_id) == []
    with pytest.raises(JobNotFound):
        await parted.queue(QUEUE).get(job_id)


async def test_what_hinders_the_removal_of_a_queue_is_summed_and_nothing_of_it_stays(
    parted: App, client: redis.Redis
) -> None:
    queue = parted.queue(QUEUE)
    await queue.limit(concurrency=3)
    await parted.enqueue_many(QUEUE, "send", [1] * 400)
    with pytest.raises(QueueNotEmpty, match="400 "):
        await queue.remove()
    await queue.remove(purge=True)
    shared = parted.client.store.shared
    assert not client.exists(shared.partitions, shared.shared)


async def test_jobs_in_new_partitions_draw_from_the_limit_of_their_queue_at_once(parted: App) -> None:
    """Who leases for a partition is one that takes part in its upkeep."""
    queue = parted.queue(QUEUE)
    await queue.limit(concurrency=10)
    async with working(parted, concurrency=20):
        await queue.partition(16)
        await parted.enqueue_many(QUEUE, "send", list(range(160)))

        async def all_are_completed() -> bool:
            return (await queue.counts()).completed == 160

        await until(all_are_completed, 8)
