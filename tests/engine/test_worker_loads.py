"""What workers tell of themselves with each beat, and what operators ask of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from streamq import App, Job, WorkerInfo, WorkerNotFound, WorkerStopping

from ..commands import Call, run_all
from ..rig import ON_ONE_SERVER, shared_keys, until, working


class Hold:
    """A task whose jobs run until they are let go."""

    def __init__(self, app: App) -> None:
        self.open, self.running = asyncio.Event(), 0
        self.task = app.task(name="hold", queue="q")(self.hold)

    async def hold(self, x: int) -> int:
        self.running += 1
        await self.open.wait()
        self.running -= 1
        return x


async def told(app: App, state: str, busy: int | None = None) -> WorkerInfo | None:
    """The one worker, once it says that."""
    workers = await app.workers()
    load = workers[0].load if workers else None
    return workers[0] if load and load.state == state and busy in (None, load.busy) else None


async def test_a_beat_tells_slots_what_runs_memory_lag_and_the_round_trip(app: App) -> None:
    hold = Hold(app)
    jobs = await hold.task.enqueue_many(range(25))
    async with working(app, concurrency=30):
        said = await until(lambda: told(app, "working", 25))
        load = said.load
        assert len(load.running) == 20, "a bounded number is named"
        assert load.running[0].since <= load.running[-1].since <= load.at
        assert {job.job for job in load.running} <= {job.id for job in jobs}
        assert (load.running[0].queue, load.running[0].task) == ("q", "hold")
        assert 10_000_000 < load.memory < 10_000_000_000
        assert 0 < load.round_trip < 1
        assert 0 <= load.loop_lag < 1
        hold.open.set()
        await until(lambda: told(app, "working", 0))


@ON_ONE_SERVER
async def test_a_quiet_worker_takes_no_new_jobs_until_it_is_resumed(app: App) -> None:
    hold = Hold(app)
    await hold.task.enqueue(1)
    async with working(app, name="w1"):
        await until(lambda: hold.running == 1)
        await app.worker("w1").quiet()
        await until(lambda: told(app, "quiet", 1))
        waiting = await hold.task.enqueue_many(range(3))
        hold.open.set()
        await until(lambda: told(app, "quiet", 0))
        assert (await app.queue("q").counts()).waiting == 3, "what ran has ended, and nothing has begun"
        why = await app.queue("q").why(waiting[0].id)
        assert (why.code, "w1" in why.text) == ("workers-quiet", True)
        await app.worker("w1").resume()
        await until(lambda: told(app, "working"))
        await until(lambda: _waiting(app, 0))


@ON_ONE_SERVER
async def test_a_slot_of_a_worker_that_takes_no_new_jobs_is_free_for_none(app: App) -> None:
    hold = Hold(app)
    await hold.task.enqueue(1)
    async with working(app, name="w1", concurrency=5):
        await until(lambda: hold.running == 1)
        await app.worker("w1").quiet()
        await until(lambda: told(app, "quiet", 1))
        async with working(app, name="w2", concurrency=1) as other:
            await hold.task.enqueue(2)
            await until(lambda: hold.running == 2)
            job = await hold.task.enqueue(3)
            said = (await job.why()).text
            assert (
                said == "it is the next, and starts when a slot is free; 2 run in the 2 slots of its workers"
            )
            other.stop()  # as by SIGTERM: nobody asked it over the server
            assert await until(lambda: _says(job, "workers-quiet")) == "w2"
            hold.open.set()


async def _says(job: Job[Any], code: str) -> str:
    """The worker that is named last, once that is why."""
    said = await job.why()
    return said.text.split()[-1] if said.code == code else ""


async def _waiting(app: App, count: int) -> bool:
    return (await app.queue("q").counts()).waiting == count


@ON_ONE_SERVER
async def test_a_worker_that_is_asked_to_stop_ends_in_order_and_nothing_is_left_of_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    hold = Hold(app)
    job = await hold.task.enqueue(1)
    async with working(app, name="w1", concurrency=1) as worker:
        await until(lambda: hold.running == 1)
        await app.worker("w1").stop()
        await until(lambda: told(app, "stopping"))
        with pytest.raises(WorkerStopping):
            await app.worker("w1").resume()
        hold.open.set()
        await until(worker._stop.is_set)
    assert (await job.status()).result == 1, "what ran had the grace to end"
    keys = shared_keys(prefix)
    assert not client.exists(keys.workers, keys.loads, keys.asks)
    with pytest.raises(WorkerNotFound):
        await app.worker("w1").quiet()


@ON_ONE_SERVER
async def test_what_is_asked_is_heard_with_the_next_beat_when_the_bell_is_lost(
    app: App, client: redis.Redis, prefix: str
) -> None:
    Hold(app)
    async with working(app, name="w1"):
        await until(lambda: told(app, "working"))
        client.hset(shared_keys(prefix).asks, "w1", "quiet")
        await until(lambda: told(app, "quiet"))


@ON_ONE_SERVER
async def test_acts_on_workers_are_in_the_audit_trail(app: App) -> None:
    Hold(app)
    async with working(app, name="w1"):
        await until(lambda: told(app, "working"))
        with app.acting("alice"):
            await app.worker("w1").quiet()
            await app.worker("w1").resume()
        entries = (await app.audit()).items
        acts = [(each.actor, each.action, each.subject) for each in entries]
        assert acts == [("alice", "worker.resume", "w1"), ("alice", "worker.quiet", "w1")]


@ON_ONE_SERVER
async def test_a_load_that_nobody_can_read_hides_no_worker(
    app: App, client: redis.Redis, prefix: str
) -> None:
    Hold(app)
    async with working(app, name="w1"):
        await until(lambda: told(app, "working"))
        client.hset(shared_keys(prefix).loads, "w1", '{"busy": 3}')
        (worker,) = await app.workers()
        assert worker.load is None or worker.load.state == "working", "unless it has beaten meanwhile"


@ON_ONE_SERVER
async def test_the_command_line_shows_workers_and_steers_them(
    app: App, server_url: str, prefix: str, tmp_path: Path
) -> None:
    Hold(app)
    environment = {"STREAMQ_REDIS_URL": server_url, "STREAMQ_PREFIX": prefix}

    async def ends(*argv: str) -> Any:
        (ended,) = await asyncio.to_thread(run_all, tmp_path, [Call(argv)], **environment)
        return ended

    async with working(app, name="w1") as worker:
        await until(lambda: told(app, "working"))
        listed = await ends("workers")
        assert listed.out.split("\n")[1].split()[0] == "w1"
        assert (await ends("workers", "quiet", "w1")).code == 0
        await until(lambda: told(app, "quiet"))
        assert json.loads((await ends("workers", "get", "w1", "--json")).out)["state"] == "quiet"
        missing = await ends("workers", "quiet", "w2")
        assert (missing.code, "there are w1" in missing.err) == (3, True)
        assert (await ends("workers", "stop", "w1")).code == 0
        await until(worker._stop.is_set)
