"""Who is alive: what is missed is not yet lost, and whoever is lost is found soon."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import redis

from streamq import App, Unavailable
from streamq.doctor import examine
from streamq.duties.reclaimer import Reclaimer
from streamq.duties.voucher import Voucher
from streamq.liveness import host, recovery
from streamq.liveness.identity import describe
from streamq.model.keys import GROUP, Keys
from streamq.redis.links import Links
from streamq.worker.heartbeat import Heartbeat
from streamq.worker.overdue import OverdueHandlers

from ..processes import Fleet
from ..rig import ON_ONE_SERVER, census, shared_keys, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]


# -- processes ----------------------------------------------------------------------------------------------


@ON_ONE_SERVER
async def test_a_call_that_holds_the_interpreter_past_the_lease_is_not_begun_again_beside_a_witness(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    fleet.environment |= {"STREAMQ_LEASE": "1.0", "STREAMQ_BEAT": "0.25"}
    for _ in range(2):
        fleet.start("--concurrency", "2")
    await until(lambda: _count(app, 2), 20)
    job = await app.enqueue("q", "hold_interpreter", {"number": 1, "seconds": 3.0})
    assert await job.result(30) == 1
    (start,), (end,) = fleet.ledger("start"), fleet.ledger("end")
    assert end.at - start.at > 2.5, "longer than two leases"
    assert (await job.status()).crashes == 0
    assert "has not beaten for" in fleet.log


@ON_ONE_SERVER
async def test_a_stopped_process_is_not_vouched_for_and_its_jobs_are_back_within_its_lease_and_five_seconds(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    first = fleet.start("--concurrency", "5")
    jobs = await app.enqueue_many("q", "work", [{"number": n, "seconds": 0.5} for n in range(5)])
    await until(lambda: len(fleet.ledger("start")) == 5)
    fleet.start("--concurrency", "5")
    await until(lambda: _count(app, 2), 20)
    again = await app.enqueue_many("q", "work", [{"number": n, "seconds": 2.0} for n in range(10)])
    await until(lambda: len(fleet.ledger("start")) == 15)
    first.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    await asyncio.gather(*[job.result(30) for job in (*jobs, *again)])
    last = max(line.at for line in fleet.ledger("start"))
    assert last - stopped < 2.0 + 5.0
    assert [line.job_id for line in fleet.ledger("start") if line.at > stopped], "the stopped one had some"


@ON_ONE_SERVER
@pytest.mark.parametrize("seat", [1, 2])
async def test_the_jobs_of_a_killed_worker_are_back_within_seconds_whichever_seat_it_had(
    breakable: Server,
    fleet: Fleet,
    producer: Producer,
    seat: int,
    record_property: Callable[[str, object], None],
) -> None:
    app = await producer(breakable.url)
    fleet.environment |= {"STREAMQ_LEASE": "60", "STREAMQ_BEAT": "5"}  # only its connections tell
    processes = {process.pid: process for process in (fleet.start("--concurrency", "3") for _ in range(3))}
    workers = {worker.name: worker.pid for worker in await until(lambda: _count(app, 3), 20)}
    jobs = await app.enqueue_many("q", "work", [{"number": n, "seconds": 2.0} for n in range(9)])
    await until(lambda: len(fleet.ledger("start")) == 9)
    with breakable.client() as client:
        holder = await until(lambda: client.get(Keys("sq", "q").seats(seat)[0]))
    victim = processes[workers[holder]]
    victim.kill()
    killed = time.monotonic()
    victim.wait()
    await asyncio.gather(*[job.result(20) for job in jobs])
    again = [line.at for line in fleet.ledger("start") if line.at > killed]
    record_property(
        f"seconds until jobs of a killed holder of seat {seat} had started again", max(again) - killed
    )
    assert len(again) == 3
    assert max(again) - killed < 5


@ON_ONE_SERVER
async def test_a_process_that_was_stopped_for_longer_than_stuck_goes_on_and_one_that_is_stuck_ends(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    fleet.environment |= {"STREAMQ_STUCK": "1.5"}
    process = fleet.start("--concurrency", "2")
    await until(lambda: _count(app, 1), 20)
    process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2.5)
    process.send_signal(signal.SIGCONT)
    job = await app.enqueue("q", "work", {"number": 1, "seconds": 1.0})
    assert await job.result(10) == [1, process.pid]
    assert process.poll() is None
    await app.enqueue("q", "block", {"number": 2, "seconds": 10.0}, attempts=1)
    assert await asyncio.to_thread(process.wait, 9) == 70
    assert "the event loop stands still" in fleet.log
    assert "in block" in fleet.log, "the line it is stuck in"


@ON_ONE_SERVER
async def test_a_look_at_the_loop_that_comes_late_counts_for_one_interval_only(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that looks may go on before the loop does, when both were stopped."""
    ended: list[int] = []
    monkeypatch.setattr("streamq.worker.heartbeat.os._exit", ended.append)
    store, own = app.client.store, describe("w1", ("q",), 1, app.settings)
    heartbeat = Heartbeat(store, own, OverdueHandlers(60.0), app.notes)
    heartbeat._watch_loop()
    heartbeat._looked -= 3_600
    heartbeat._watch_loop()
    assert ended == []


async def _count(app: App, count: int) -> Any:
    workers = await app.workers()
    return workers if len(workers) == count else None


# -- this host ----------------------------------------------------------------------------------------------


def test_a_process_runs_until_it_is_stopped_or_ended() -> None:
    process = subprocess.Popen(["sleep", "30"])
    try:
        start = host.started_at(process.pid)
        assert start
        assert host.runs(process.pid, start)
        assert not host.runs(process.pid, start - 1), "another process had the same number"
        process.send_signal(signal.SIGSTOP)
        _soon(lambda: not host.runs(process.pid, start))
        process.send_signal(signal.SIGCONT)
        _soon(lambda: host.runs(process.pid, start))
        process.kill()
        _soon(lambda: not host.runs(process.pid, start))  # a zombie, until it is waited for
    finally:
        process.kill()
        process.wait()
    assert not host.runs(process.pid, start)
    assert host.runs(os.getpid(), host.own_start())
    assert host.host_id()


def _soon(met: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not met() and time.monotonic() < end:
        time.sleep(0.01)
    assert met()


@pytest.fixture
def silent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs and does not beat."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


class Silent:
    """A worker in that process, and somebody on its host who looks after it."""

    def __init__(self, app: App, client: redis.Redis, prefix: str, process: subprocess.Popen[bytes]) -> None:
        self.client, self.keys, self.process = client, Keys(prefix, "q"), process
        self.voucher = Voucher(app.client.store, lambda: ["q"], own="w0")
        said = {
            "name": "w1", "host": "h", "pid": process.pid, "queues": ["q"], "concurrency": 1, "version": "0",
            "started_at": "2030-01-01T00:00:00Z", "lease": 0.8, "beat": 0.2, "stuck": 1.5,
            "host_id": host.host_id(), "process_start": host.started_at(process.pid),
        }  # fmt: skip
        self.said, self.where = said, shared_keys(prefix).workers
        self.introduce()
        client.zincrby(self.keys.workers, 7, "w1")

    def introduce(self, **other: Any) -> None:
        self.client.hset(self.where, "w1", json.dumps(self.said | other))

    async def beats_for_it(self, seconds: float) -> int:
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            count += await self.voucher.once()
            await asyncio.sleep(0.1)
        return count


@pytest.fixture
async def mate(
    app: App, client: redis.Redis, prefix: str, silent: subprocess.Popen[bytes]
) -> AsyncIterator[Silent]:
    mate = Silent(app, client, prefix, silent)
    yield mate
    await mate.voucher.close()


@ON_ONE_SERVER
async def test_a_running_process_is_vouched_for_until_its_own_silence_has_lasted_for_as_long_as_it_allows(
    mate: Silent,
) -> None:
    assert await mate.beats_for_it(1.3) >= 3
    assert 7 < mate.client.zscore(mate.keys.workers, "w1") < 7.5, (
        "what others beat is told apart from its own"
    )
    await mate.beats_for_it(0.8)
    assert await mate.beats_for_it(0.5) == 0, "1.5 s is what it allows"
    mate.client.zincrby(mate.keys.workers, 1, "w1")
    assert await mate.beats_for_it(1.0) >= 1, "it has beaten by itself, and is silent again"


@ON_ONE_SERVER
@pytest.mark.parametrize("why", ["stopped", "another host", "another process of the number", "declared lost"])
async def test_nobody_vouches_for_a_process_that_is(mate: Silent, why: str) -> None:
    if why == "stopped":
        mate.process.send_signal(signal.SIGSTOP)
    elif why == "another host":
        mate.introduce(host_id="another boot pid:[1]")
    elif why == "another process of the number":
        mate.introduce(process_start=mate.said["process_start"] + 1)
    else:
        mate.client.zrem(mate.keys.workers, "w1")
    assert await mate.beats_for_it(1.3) == 0
    assert mate.client.zscore(mate.keys.workers, "w1") in (7.0, None)


@ON_ONE_SERVER
async def test_a_worker_looks_after_three_of_its_host_and_three_look_after_it(
    app: App, client: redis.Redis, prefix: str
) -> None:
    names = [f"w{n}" for n in range(6)]
    for name in names:
        said = {
            "name": name, "queues": ["q"], "started_at": "2030-01-01T00:00:00Z", "pid": os.getpid(),
            "host_id": host.host_id(), "process_start": host.own_start(),
        }  # fmt: skip
        client.hset(shared_keys(prefix).workers, name, json.dumps(said))
    looked_after: list[str] = []
    for name in names:
        voucher = Voucher(app.client.store, lambda: ["q"], own=name)
        await voucher.once()
        looked_after += voucher._mates
        assert name not in voucher._mates
        await voucher.close()
    assert {looked_after.count(name) for name in names} == {3}


# -- what a watcher makes of what it sees -------------------------------------------------------------------


class Watched:
    """A worker as the server shows it: jobs, a counter, an introduction, and a connection if it has one."""

    def __init__(self, app: App, client: redis.Redis, prefix: str) -> None:
        self.app, self.client, self.prefix, self.keys = app, client, prefix, Keys(prefix, "q")
        self.links: list[Links] = []
        self.reclaimer = Reclaimer(app.client.store, lambda: ["q"])

    async def register(self, name: str, client_id: int, *, jobs: int = 3) -> None:
        async with self.app.client.store.pool.links() as link:
            await self.app.client.store.delivery.join(link, ["q"])
        await self.app.enqueue_many("q", "t", range(jobs))
        self.client.xreadgroup(GROUP, name, {self.keys.ready: ">"})
        self.client.zincrby(self.keys.workers, 1, name)
        said = {
            "name": name, "host": "elsewhere", "pid": 1, "queues": ["q"], "concurrency": 1, "version": "0",
            "started_at": "2030-01-01T00:00:00Z", "client_id": client_id, "lease": 60.0,
        }  # fmt: skip
        self.client.hset(shared_keys(self.prefix).workers, name, json.dumps(said))

    async def connect(self, name: str) -> int:
        self.links.append(self.app.client.store.links(name))
        return int(await self.links[-1].home.call("CLIENT", "ID"))

    async def look_for(self, seconds: float) -> int:
        end, found = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            with contextlib.suppress(Unavailable):  # as the loop does
                found += await self.reclaimer.once()
            await asyncio.sleep(0.05)
        return found


@pytest.fixture
async def watched(make_app: Callable[..., App], client: redis.Redis, prefix: str) -> AsyncIterator[Watched]:
    async with make_app(lease=60.0, beat=5.0) as app:
        watched = Watched(app, client, prefix)
        yield watched
        await watched.reclaimer.close()
        for link in watched.links:
            await link.close()


@ON_ONE_SERVER
async def test_a_worker_whose_connection_is_gone_is_lost_after_the_grace(watched: Watched) -> None:
    await watched.register("w1", 999_999)
    assert await watched.look_for(recovery.GRACE / 2) == 0
    assert await watched.look_for(recovery.GRACE) == 3
    await watched.register("w2", 0)  # it was killed as it introduced itself
    watched.reclaimer.wake()
    assert await watched.look_for(2 * recovery.GRACE) == 6, "those of the first, and three more"
    assert not watched.client.exists(shared_keys(watched.prefix).workers)


async def test_a_worker_that_has_reconnected_is_not_lost(watched: Watched) -> None:
    await watched.register("w1", 999_999)
    await watched.connect("w1")
    assert await watched.look_for(3 * recovery.GRACE) == 0


async def test_a_worker_is_lost_when_its_connection_is_anothers_by_now(watched: Watched) -> None:
    """A restarted server counts its clients from the beginning."""
    await watched.register("w1", await watched.connect("another"))
    assert await watched.look_for(3 * recovery.GRACE) == 3


@ON_ONE_SERVER
async def test_what_was_missing_before_our_own_connection_was_cut_is_looked_at_anew(watched: Watched) -> None:
    await watched.register("w1", 999_999)
    await watched.reclaimer.once()
    assert watched.reclaimer.watch._missing
    await asyncio.sleep(2 * recovery.GRACE)
    own = await watched.reclaimer._links.home.call("CLIENT", "ID")
    watched.client.client_kill_filter(_id=own)
    assert await watched.look_for(3 * recovery.GRACE) == 0
    watched.reclaimer.watch._held_off_until = 0.0  # as after a lease
    assert await watched.look_for(recovery.GRACE / 2) == 0
    assert await watched.look_for(recovery.GRACE) == 3


@ON_ONE_SERVER
async def test_the_watchers_are_those_who_have_the_seats_whatever_their_names(watched: Watched) -> None:
    """They were the two lowest names: dead ones and those without duties too."""
    for name in ("a", "b"):
        await watched.register(name, await watched.connect(name))
    await watched.register("w1", 999_999)
    watched.reclaimer.watch._own = "z"
    assert await watched.look_for(3 * recovery.GRACE) == 3


@ON_ONE_SERVER
async def test_the_doctor_takes_no_jobs_of_a_worker_that_registers_while_it_looks(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.register("lost", 999_999)
    roster = watched.app.client.store.workers
    listing = roster.client_names

    async def then_another_registers(link: Links) -> set[str]:
        names = await listing(link)
        if not watched.links:
            await watched.register("late", await watched.connect("late"))
        return names

    monkeypatch.setattr(roster, "client_names", then_another_registers)
    findings = {finding.check: finding for finding in await examine(watched.app, repair=True)}
    assert "lost (q) has no connection; its jobs wait again" in findings["workers"].said
    assert census(watched.client, watched.prefix, "q").counts() == {"active": 3, "waiting": 3}


@ON_ONE_SERVER
async def test_the_doctor_leaves_a_worker_alone_that_has_beaten_since_it_looked(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    await watched.register("w1", 999_999)
    roster = watched.app.client.store.workers
    listing = roster.client_names

    async def then_it_beats(link: Links) -> set[str]:
        names = await listing(link)
        watched.client.zincrby(watched.keys.workers, 1, "w1")
        return names

    monkeypatch.setattr(roster, "client_names", then_it_beats)
    await examine(watched.app, repair=True)
    assert census(watched.client, watched.prefix, "q").counts() == {"active": 3}
