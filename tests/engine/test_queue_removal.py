"""A queue that nobody needs is removed, and nothing of it stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from streamq import App, QueueInUse, QueueNotEmpty, ScheduleNotFound

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, until, working


async def test_a_queue_that_is_empty_or_purged_leaves_no_key_and_comes_back_as_new(
    app: App, client: redis.Redis, prefix: str
) -> None:
    queue = app.queue("old")
    job = await app.enqueue("old", "t", 1, key="k")
    await app.enqueue("old", "t", 2, delay=60, priority="high")
    await app.schedules.put("nightly", queue="old", task="t", every=60)
    await queue.pause(task="u", reason="why")
    await app.records("old").put("kept", 1)
    async with app.once("old", "request", b"body") as request:
        await request.keep(b"answer")
    with pytest.raises(QueueNotEmpty, match=r"1 waiting, 1 delayed, 1 schedules") as refused:
        await queue.remove()
    assert (refused.value.counts["waiting"], refused.value.code) == (1, "queue-not-empty")
    assert (await job.status()).state.value == "waiting", "a refusal changes nothing"
    await queue.remove(purge=True)
    assert "old" not in await app.queues()
    with pytest.raises(ScheduleNotFound):
        await app.schedules.get("nightly")
    entry = await app.records("old").get("kept")
    assert entry is not None, "records are not the queue's"
    left = {key for key in client.scan_iter(f"{prefix}*") if "{old}:records" not in key}
    assert left == set()
    await app.enqueue("old", "t", 1, key="k")
    assert (await queue.counts()).waiting == 1
    assert "old" in await app.queues()


@ON_ONE_SERVER
async def test_a_queue_that_a_worker_serves_is_not_removed(app: App) -> None:
    @app.task(queue="old")
    async def t(x: int) -> None: ...

    async with working(app) as worker:
        await until(app.workers)
        with pytest.raises(QueueInUse, match="Stop it first") as refused:
            await app.queue("old").remove(purge=True)
        assert refused.value.workers == (worker.name,)
    await app.queue("old").remove()


@ON_ONE_SERVER
async def test_a_worker_that_was_lost_is_in_the_way_until_it_is_recovered(
    app: App, client: redis.Redis
) -> None:
    client.zadd(app.client.store.keys("old").workers, {"lost": 3})
    await app.schedules.put("nightly", queue="old", task="t", every=60)
    with pytest.raises(QueueInUse, match=r"lost serves it.*doctor --repair"):
        await app.queue("old").remove(purge=True)
    assert await app.schedules.get("nightly"), "a refusal changes nothing"


@ON_ONE_SERVER
async def test_a_queue_of_any_size_is_removed_by_calls_that_are_bounded(app: App) -> None:
    await app.enqueue_many("old", "t", range(20_000))
    await app.queue("old").remove(purge=True)
    assert (await app.queue("old").counts()).waiting == 0


@ON_ONE_SERVER
@pytest.mark.keeps_keys
async def test_the_command_refuses_what_is_in_use_and_asks_before_it_purges(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    await app.enqueue("old", "t", 1)
    rm = ("queue", "rm", "old")
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}
    unknown, full, unsure, done = run_all(
        tmp_path,
        [
            Call(("queue", "rm", "olds")), Call((*rm, "--json")), Call((*rm, "--purge"), stdin="no\n"),
            Call((*rm, "--purge", "--yes", "--json")),
        ],
        **environment,
    )  # fmt: skip
    assert (unknown.code, full.code, unsure.code, done.code) == (3, 4, 2, 0)
    assert json.loads(full.out)["error"]["code"] == "queue-not-empty"
    assert json.loads(done.out) == {"deleted": "old"}


@ON_ONE_SERVER
async def test_delayed_jobs_and_records_alone_are_in_the_way(app: App) -> None:
    job = await app.enqueue("old", "t", 1, delay=60)
    with pytest.raises(QueueNotEmpty, match="1 delayed"):
        await app.queue("old").remove()
    await job.cancel()
    with pytest.raises(QueueNotEmpty, match="1 cancelled"):
        await app.queue("old").remove()
    await job.delete()
    await app.queue("old").remove()
