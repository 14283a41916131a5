"""Servers that hang, die, refuse or forget: nothing acknowledged is lost, and workers come back by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from streamq import App, Job, OutcomeUnknown, OutOfMemory, Scheduler, Unavailable
from streamq.model.keys import Keys

from ..processes import Fleet
from ..rig import ON_ONE_SERVER, census, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]


class Load:
    """A producer that goes on through every trouble; ``acknowledged`` are the jobs it was told of."""

    def __init__(self, app: App, seconds: float = 0.02) -> None:
        self.app, self.seconds = app, seconds
        self.acknowledged: list[Job[Any]] = []
        self.refused: list[Unavailable] = []
        self.end = asyncio.Event()

    async def run(self) -> None:
        number = 0
        while not self.end.is_set():
            number += 1
            try:
                payloads = [{"number": number, "seconds": self.seconds}] * 5
                self.acknowledged += await self.app.enqueue_many("q", "work", payloads)
            except Unavailable as error:
                self.refused.append(error)
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def during(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.end.set()
            await running


async def test_a_killed_server_comes_back_with_every_acknowledged_job_and_workers_go_on(
    breakable: Server, fleet: Fleet, producer: Producer, record_property: Callable[[str, object], None]
) -> None:
    app = await producer(breakable.url)
    fleet.start("--concurrency", "20")
    load = Load(app)
    async with load.during():
        await until(lambda: len(fleet.ledger("end")) > 100, 20)
        await asyncio.to_thread(breakable.kill)
        await asyncio.sleep(1)  # the outage
        await asyncio.to_thread(breakable.start)
        back, seen = time.monotonic(), len(fleet.ledger("start"))
        await until(lambda: len(fleet.ledger("start")) > seen + 50)
        record_property("seconds until work went on", round(time.monotonic() - back, 2))
    await _all_end(app, load, breakable)
    assert set(Counter(line.job_id for line in fleet.ledger("start")).values()) == {1}, "run twice"


@ON_ONE_SERVER
async def test_a_server_that_is_away_for_seconds_under_load_is_told_and_outlived(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url, enqueue_timeout=1.0)
    fleet.start("--concurrency", "20")
    load = Load(app)
    async with load.during():
        await until(lambda: len(fleet.ledger("end")) > 50, 20)
        await asyncio.to_thread(breakable.stop)
        await asyncio.sleep(3)  # longer than the lease
        await asyncio.to_thread(breakable.start)
        refused = len(load.refused)
        seen = len(fleet.ledger("start"))
        await until(lambda: len(fleet.ledger("start")) > seen + 50)
    assert refused > 10
    assert {type(error).__name__ for error in load.refused} <= {"Unavailable", "OutcomeUnknown"}
    assert len(load.refused) <= refused + 1, "once it was back, nothing was refused"
    await _all_end(app, load, breakable)
    starts = Counter(line.job_id for line in fleet.ledger("start"))
    assert set(starts.values()) == {1}, "an outage is no crash of the worker"


@ON_ONE_SERVER
async def test_a_server_frozen_for_longer_than_the_lease_costs_no_job_its_worker(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    for _ in range(2):
        fleet.start("--concurrency", "20")
    scheduling = asyncio.create_task(Scheduler(app).run())
    jobs = await app.enqueue_many("q", "work", [{"number": n, "seconds": 4.0} for n in range(40)])
    try:
        await until(lambda: len(fleet.ledger("start")) == 40, 20)
        breakable.pause()
        await asyncio.sleep(2.6)  # longer than the lease
        breakable.resume()
        await asyncio.gather(*[job.result(20) for job in jobs])
    finally:
        breakable.resume()
        scheduling.cancel()
        await asyncio.wait([scheduling])
    assert len(fleet.ledger("start")) == 40
    assert {(await job.status()).crashes for job in jobs} == {0}
    assert "is lost" not in fleet.log


async def test_cutting_every_connection_under_load_loses_nothing_and_runs_nothing_twice(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    for _ in range(2):
        fleet.start("--concurrency", "20")
    load = Load(app, seconds=0.1)
    with breakable.client() as client:
        async with load.during():
            await until(lambda: len({line.pid for line in fleet.ledger("end")}) == 2, 20)
            for _ in range(6):
                client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                seen = len(fleet.ledger("end"))
                await until(lambda seen=seen: len(fleet.ledger("end")) > seen + 15)
    await _all_end(app, load, breakable)
    starts = Counter(line.job_id for line in fleet.ledger("start"))
    assert set(starts.values()) == {1}
    assert "is lost" not in fleet.log


@ON_ONE_SERVER
async def test_a_full_server_refuses_new_jobs_and_lets_the_running_ones_finish(
    own_server: Callable[..., Server], producer: Producer, fleets: list[Fleet], tmp_path: Any
) -> None:
    """For longer than the lease, and for workers that start while it is full."""
    server = own_server(maxmemory=6_000_000)
    fleets.append(Fleet(server.url, tmp_path, {"beat": 0.5, "lease": 1.0, "shutdown_grace": 2}))
    fleet, app = fleets[-1], await producer(server.url)
    fleet.start("--concurrency", "4")
    held = await app.enqueue_many("q", "work", [{"number": n, "seconds": 2.5} for n in range(4)])
    await until(lambda: len(fleet.ledger("start")) == 4, 20)
    accepted: list[Job[Any]] = []
    with pytest.raises(OutOfMemory):  # noqa: PT012  # whichever of them is the first
        while True:
            accepted += await app.enqueue_many("other", "untold", ["x" * 20_000] * 10)
    assert accepted
    assert OutOfMemory("").retry_after > 0
    late = fleet.start("--concurrency", "4")
    assert [(await job.result(20))[0] for job in held] == [0, 1, 2, 3]
    assert len(fleet.ledger("start")) == 4, "none was taken from its worker"
    assert late.poll() is None, "a worker starts on a full server: it is the one to empty it"
    assert len(await app.workers()) == 2
    with server.client() as client:
        client.delete(Keys("sq", "other").ready)
    again = await app.enqueue("q", "work", {"number": 9, "seconds": 0.0})
    assert (await again.result(10))[0] == 9


@ON_ONE_SERVER
async def test_scripts_streams_groups_and_lists_removed_by_hand_are_made_again(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app, keys = await producer(breakable.url), Keys("sq", "q")
    fleet.start("--concurrency", "5")

    async def works(number: int) -> None:
        job = await app.enqueue("q", "work", {"number": number, "seconds": 0.0})
        assert (await job.result(10))[0] == number

    await works(1)
    with breakable.client() as client:
        client.xgroup_destroy(keys.ready, "workers")
        client.xgroup_destroy(keys.alone, "workers")
        await works(2)
        client.delete(keys.ready, keys.alone)
        await works(3)
        client.delete(keys.workers, "sq:workers")
        await works(4)
        await until(app.workers, 5)
        await until(lambda: client.exists(keys.workers), 5)
        client.client_kill_filter(_type="pubsub")
        await works(5)
        client.flushall()
        await works(6)
        client.script_flush()
        await works(7)
    assert "is lost" not in fleet.log
    assert len(fleet.ledger("start")) == 7


async def _all_end(app: App, load: Load, server: Server) -> None:
    """Every acknowledged job is completed, by a raw look; what else is there was of unknown outcome."""
    assert len(load.acknowledged) > 50
    await until(lambda: _quiet(app), 20)
    with server.client() as client:
        found = census(client, "sq", "q")
    found.check()
    assert set(found.counts()) == {"completed"}
    told = {job.id for job in load.acknowledged}
    assert len(told) == len(load.acknowledged), "an id was given twice"
    assert not told - set(found.places), "acknowledged and lost"
    unknown = 5 * sum(isinstance(error, OutcomeUnknown) for error in load.refused)
    assert len(found.places) - len(told) <= unknown, "more than was ever sent"


async def _quiet(app: App) -> bool:
    counts = await app.queue("q").counts()
    return counts.waiting + counts.active + counts.delayed == 0


def test_the_census_sees_what_is_wrong(client: Any, prefix: str) -> None:
    """The checker is checked: a job in two places, one that nobody holds, a pointer to nothing."""
    keys = Keys(prefix, "q")
    entry = client.xadd(keys.ready, {"task": "t", "payload": "1", "headers": ""})
    client.hset(keys.finished, entry, "c1 0 w\nt\n\n\n1")
    with pytest.raises(AssertionError, match="two places"):
        census(client, prefix, "q").check()
    client.delete(keys.finished)
    client.xgroup_create(keys.ready, "workers", id=entry)
    assert census(client, prefix, "q").counts() == {"stranded": 1}
    client.hset(keys.moved, "1-1", "1 7-7")
    with pytest.raises(AssertionError, match="not there"):
        census(client, prefix, "q").check()
