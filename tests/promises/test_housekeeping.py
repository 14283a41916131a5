"""The duties: what is stranded is found, what is lost is recovered, and several of them do nothing twice."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import redis

from streamq import App, JobNotFound, Scheduler, State
from streamq.duties.auditor import Auditor
from streamq.duties.reclaimer import Reclaimer
from streamq.model.keys import GROUP, Keys
from streamq.redis.links import Links
from streamq.settings import Settings

from ..rig import ON_ONE_SERVER, QUICK, census, shared_keys, until, working
from ..servers import Server


@pytest.fixture
async def link(app: App) -> AsyncIterator[Links]:
    link = app.client.store.links()
    yield link
    await link.close()


async def _taken(
    app: App, client: redis.Redis, prefix: str, link: Links, count: int, worker: str = "w1"
) -> list[str]:
    """Jobs delivered to a worker that does not exist."""
    jobs = await app.enqueue_many("q", "t", range(count))
    await app.client.store.delivery.join(link, ["q"])
    client.xreadgroup(GROUP, worker, {Keys(prefix, "q").ready: ">"}, count=count)
    return [job.id for job in jobs]


async def test_jobs_of_a_deleted_consumer_are_given_back_by_the_auditor(
    app: App, client: redis.Redis, prefix: str, link: Links
) -> None:
    ids = await _taken(app, client, prefix, link, 450)
    client.xgroup_delconsumer(Keys(prefix, "q").ready, GROUP, "w1")
    assert census(client, prefix, "q").counts() == {"stranded": 450}
    auditor = Auditor(app.client.store, lambda: ["q"])
    try:
        assert await auditor.once() == 450
        assert await auditor.once() == 0
    finally:
        await auditor.close()
    found = census(client, prefix, "q")
    found.check()
    assert found.places == {job_id: ["waiting"] for job_id in ids}
    assert (await app.queue("q").get(ids[0])).crashes == 0, "an accident of the server is no crash"


async def test_an_audit_of_a_busy_queue_touches_nothing(
    app: App, client: redis.Redis, prefix: str, link: Links
) -> None:
    await _taken(app, client, prefix, link, 300)
    await app.enqueue_many("q", "t", range(300))
    assert await app.client.store.recovery.audit(link, "q") == 0
    assert census(client, prefix, "q").counts() == {"active": 300, "waiting": 300}


async def test_jobs_of_a_worker_that_is_on_no_list_are_recovered_at_the_second_audit(
    app: App, client: redis.Redis, prefix: str, link: Links
) -> None:
    await _taken(app, client, prefix, link, 5)
    auditor = Auditor(app.client.store, lambda: ["q"])
    try:
        assert await auditor.once() == 0, "it may be about to beat"
        assert await auditor.once() == 5
    finally:
        await auditor.close()
    assert census(client, prefix, "q").counts() == {"waiting": 5}


async def test_reclaimers_at_once_recover_each_job_once(
    app: App, client: redis.Redis, prefix: str, link: Links
) -> None:
    ids = await _taken(app, client, prefix, link, 1_000)
    others = [app.client.store.links() for _ in range(4)]
    done = await asyncio.gather(
        *[app.client.store.recovery.reclaim(other, "q", "w1", None) for other in others]
    )
    for other in others:
        await other.close()
    assert sum(reclaimed.again for reclaimed in done) == 1_000
    found = census(client, prefix, "q")
    found.check()
    assert found.places == {job_id: ["waiting"] for job_id in ids}
    assert {(await app.queue("q").get(job_id)).crashes for job_id in ids[::50]} == {1}


async def test_the_reclaimer_takes_nothing_from_a_worker_that_has_beaten_since_it_looked(
    app: App, client: redis.Redis, prefix: str
) -> None:
    keys = Keys(prefix, "q")
    await app.enqueue("q", "t", 1)
    async with app.client.store.pool.links() as link:
        await app.client.store.delivery.join(link, ["q"])
    client.xreadgroup(GROUP, "w1", {keys.ready: ">"})
    client.zincrby(keys.workers, 8, "w1")
    reclaimer = Reclaimer(app.client.store, lambda: ["q"])
    assert await reclaimer._recover("q", "w1", b"7", "no beat when it looked") == 0
    assert (await app.queue("q").counts()).active == 1
    await reclaimer.close()


async def test_a_worker_that_has_beaten_since_it_was_seen_keeps_its_jobs(
    app: App, client: redis.Redis, prefix: str, link: Links
) -> None:
    await _taken(app, client, prefix, link, 3)
    client.zincrby(Keys(prefix, "q").workers, 1, "w1")
    seen = (await app.client.store.workers.beats(link, ["q"]))["q"]["w1"]
    client.zincrby(Keys(prefix, "q").workers, 1, "w1")
    assert (await app.client.store.recovery.reclaim(link, "q", "w1", seen)).beaten
    assert census(client, prefix, "q").counts() == {"active": 3}


async def test_crashes_are_charged_and_at_the_limit_the_job_is_failed(
    app: App, client: redis.Redis, prefix: str, link: Links
) -> None:
    keys = Keys(prefix, "q")
    (job_id,) = await _taken(app, client, prefix, link, 1)
    outcomes = []
    for lane in (keys.ready, keys.ready, keys.alone):
        client.xreadgroup(GROUP, "w1", {lane: ">"})
        outcomes.append(await app.client.store.recovery.reclaim(link, "q", "w1", None))
    assert [(o.again, o.suspects, o.failed) for o in outcomes] == [(1, 0, 0), (0, 1, 0), (0, 0, 1)]
    record = await app.queue("q").get(job_id)
    assert (record.state, record.crashes, record.attempt) == (State.FAILED, 3, 0)
    assert record.error
    assert (record.error.type, record.error.worker) == ("Crashed", "w1")
    assert [error.type for error in record.history] == ["WorkerLost"] * 3
    assert (await app.queue("q").retry(job_id)).crashes == 0
    census(client, prefix, "q").check()


@ON_ONE_SERVER
async def test_a_removed_list_of_workers_is_written_anew_and_nobody_is_taken_for_lost(
    app: App, client: redis.Redis, prefix: str
) -> None:
    started = asyncio.Event()
    end = asyncio.Event()

    @app.task(queue="q")
    async def hold(x: int) -> int:
        started.set()
        await end.wait()
        return x

    keys = Keys(prefix, "q")
    scheduling = asyncio.create_task(Scheduler(app).run())
    async with working(app, name="w1"):
        job = await hold.enqueue(1)
        await started.wait()
        client.delete(keys.workers, shared_keys(prefix).workers)
        await until(lambda: client.zscore(keys.workers, "w1"))
        await until(lambda: (client.zscore(keys.workers, "w1") or 0) >= 4)  # as long as a lease
        end.set()
        assert await job.result(5) == 1
    scheduling.cancel()
    await asyncio.wait([scheduling])
    assert (await job.status()).crashes == 0


@ON_ONE_SERVER
async def test_without_the_right_to_list_clients_the_lease_alone_finds_the_lost(
    own_server: Callable[..., Server], caplog: pytest.LogCaptureFixture
) -> None:
    server = own_server(users=["alice on >x ~* &* +@all -client|list"])
    url = f"unix://alice:x@{server.socket}"
    async with App(Settings.load(**{**QUICK, "redis_url": url, "lease": 1.0})) as app:
        link = app.client.store.links()
        with server.client() as client:
            await _taken(app, client, "sq", link, 3)
            client.zincrby(Keys("sq", "q").workers, 1, "w1")
            client.hset("sq:workers", "w1", _introduction())
            reclaimer, start = Reclaimer(app.client.store, lambda: ["q"]), time.monotonic()
            try:
                await until(reclaimer.once, 10)
                assert time.monotonic() - start >= 1.0, (
                    "one that has just started waits for a whole lease too"
                )
            finally:
                await reclaimer.close()
                await link.close()
            assert census(client, "sq", "q").counts() == {"waiting": 3}
    assert caplog.text.count("cannot list the clients of the server") == 1


@ON_ONE_SERVER
async def test_the_right_to_list_clients_is_used_when_it_comes_back(
    own_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal used to hold good until the process ended: so did that of a login while a password was changed."""
    monkeypatch.setattr("streamq.redis.troubles.PAUSE", (0.1, 0.2))
    caplog.set_level("INFO", "streamq")
    server = own_server(users=["alice on >x ~* &* +@all -client|list"])
    url = f"unix://alice:x@{server.socket}"
    async with App(Settings.load(**{**QUICK, "redis_url": url, "lease": 60.0})) as app:
        link = app.client.store.links()
        with server.client() as client:
            await _taken(app, client, "sq", link, 3)
            client.zincrby(Keys("sq", "q").workers, 1, "w1")
            client.hset("sq:workers", "w1", _introduction())
            reclaimer = Reclaimer(app.client.store, lambda: ["q"])
            try:
                await reclaimer.once()
                assert "cannot list the clients of the server" in caplog.text
                client.execute_command("ACL", "SETUSER", "alice", "+client|list")
                await until(reclaimer.once, 10)
            finally:
                await reclaimer.close()
                await link.close()
            assert census(client, "sq", "q").counts() == {"waiting": 3}
    assert "can list the clients of the server again" in caplog.text


def _introduction() -> str:
    return json.dumps(
        {
            "name": "w1", "host": "h", "pid": 1, "queues": ["q"], "concurrency": 1, "version": "0",
            "started_at": "2030-01-01T00:00:00Z", "client_id": 999_999,
        }
    )  # fmt: skip


async def test_keys_deleted_at_random_stop_nobody(app: App, client: redis.Redis, prefix: str) -> None:
    """Every key is taken away once while a worker works; what was not in it goes on.

    A delayed job whose due time was taken is held, and counted as such.
    """

    @app.task(queue="q")
    async def work(x: int) -> int:
        return x

    async with working(app, concurrency=5):
        for name in (
            "moved",
            "parked",
            "delayed",
            "finished",
            "completed",
            "failures",
            "workers",
            "alone",
        ):
            jobs = [await work.enqueue(n, delay=n / 1000) for n in range(5)]
            client.delete(getattr(Keys(prefix, "q"), name))
            job = await work.enqueue(7)
            assert await job.result(5) == 7
            for other in jobs:
                await _settled(other)
    assert (await app.queue("q").counts()).active == 0


async def _settled(job: Any) -> None:
    async def ended() -> bool:
        try:
            return (await job.status()).state in (State.COMPLETED, State.HELD)
        except JobNotFound:
            return True  # what was known of it was in the key that was taken away

    await until(ended)


@pytest.mark.parametrize("waiting", [0, 300])
async def test_entries_deleted_by_hand_strand_no_neighbour_and_leave_right_counts(
    app: App, client: redis.Redis, prefix: str, link: Links, caplog: pytest.LogCaptureFixture, waiting: int
) -> None:
    keys = Keys(prefix, "q")
    await _taken(app, client, prefix, link, 900)
    await app.enqueue_many("q", "t", range(waiting))
    entries = [entry for entry, _ in client.xrange(keys.ready, count=900)]
    for at in range(0, 300, 100):  # the first ones, some in the middle, some at the end
        client.xdel(keys.ready, *entries[4 * at : 4 * at + 100])
    await app.client.store.recovery.audit(link, "q")
    assert (await app.client.store.recovery.audit(link, "q")) == 0
    assert "300 active jobs on q were deleted by hand" in caplog.text
    counts = await app.queue("q").counts()
    assert (counts.active, counts.waiting) == (600, waiting)
    found = census(client, prefix, "q")
    found.check()
    assert found.counts() == {"active": 600} | ({"waiting": waiting} if waiting else {})
    assert client.hlen(keys.moved) == 0, "no neighbour was given to another worker"


async def test_a_due_time_without_a_job_is_forgotten_and_told(
    app: App, client: redis.Redis, prefix: str, link: Links, caplog: pytest.LogCaptureFixture
) -> None:
    client.zadd(Keys(prefix, "q").delayed, {"5-5": 1, "no id": 2})
    assert (await app.client.store.delayed.promote(link, ["q"], 10))["q"].jobs == 0
    assert client.exists(Keys(prefix, "q").delayed) == 0
    assert "2 ids on q were due and had no job" in caplog.text
