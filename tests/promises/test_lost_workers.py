"""Workers that are killed, stopped or blocked: their jobs start again elsewhere, and only those."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streamq import App, JobFailed, Scheduler, State
from streamq.worker.supervisor import Supervisor

from ..processes import PROGRAM, Fleet
from ..rig import ON_ONE_SERVER, census, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]


async def test_all_500_jobs_of_a_killed_worker_start_again_within_seconds(
    breakable: Server, fleet: Fleet, producer: Producer, record_property: Callable[[str, object], None]
) -> None:
    app = await producer(breakable.url)
    victim = fleet.start("--concurrency", "500")
    jobs = await app.enqueue_many(
        "q", "work", [{"number": n, "seconds": 1.0} for n in range(500)], timeout=86_400
    )
    await until(lambda: len(fleet.ledger("start")) >= 500)
    victim.kill()
    killed = time.monotonic()
    victim.wait()
    fleet.start("--concurrency", "500")
    fleet.start("--concurrency", "500")
    await asyncio.gather(*[job.result(20) for job in jobs])

    again = [line for line in fleet.ledger("start") if line.pid != victim.pid]
    seconds = max(line.at for line in again) - killed
    record_property("seconds until the last of 500 jobs had started again", round(seconds, 2))
    assert seconds < 10
    assert Counter(line.job_id for line in again) == {job.id: 1 for job in jobs}, "each once"
    for job in jobs[::50]:
        record = await job.status()
        assert (record.state, record.crashes, record.attempt) == (State.COMPLETED, 1, 1)
        assert [error.type for error in record.history] == ["WorkerLost"]
    _whole(breakable, 500)


@ON_ONE_SERVER
async def test_a_worker_stopped_past_its_lease_cannot_write_its_outcome(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    first = fleet.start("--concurrency", "5")
    jobs = await app.enqueue_many("q", "work", [{"number": n, "seconds": 0.5} for n in range(5)])
    await until(lambda: len(fleet.ledger("start")) == 5)
    first.send_signal(signal.SIGSTOP)
    second = fleet.start("--concurrency", "5")
    results = await asyncio.gather(*[job.result(20) for job in jobs])
    assert {pid for _, pid in results} == {second.pid}
    first.send_signal(signal.SIGCONT)
    await until(lambda: "outcomes were refused" in fleet.log)
    assert [(await job.status()).result[1] for job in jobs] == [second.pid] * 5
    assert Counter(line.pid for line in fleet.ledger("start")) == {first.pid: 5, second.pid: 5}
    later = await app.enqueue_many("q", "work", [{"number": n, "seconds": 0.1} for n in range(10)])
    pids = {pid for _, pid in await asyncio.gather(*[job.result(20) for job in later])}
    assert pids == {first.pid, second.pid}, "the one that woke up works on"
    _whole(breakable, 15)


@ON_ONE_SERVER
async def test_a_handler_that_blocks_the_loop_past_the_lease_is_not_run_a_second_time(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    fleet.start("--concurrency", "2")
    job = await app.enqueue("q", "block", {"number": 1, "seconds": 3.2})
    await until(lambda: fleet.ledger("start"))
    fleet.start("--concurrency", "2")
    scheduling = asyncio.create_task(Scheduler(app).run())
    try:
        assert await job.result(20) == 1
    finally:
        scheduling.cancel()
        await asyncio.wait([scheduling])
    assert len(fleet.ledger("start")) == 1
    assert (await job.status()).crashes == 0


@ON_ONE_SERVER
async def test_a_poison_job_fails_after_exactly_its_crashes_and_takes_no_neighbour_along(
    breakable: Server, fleet: Fleet, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in fleet.environment.items():
        monkeypatch.setenv(name, value)
    app = await producer(breakable.url)
    monkeypatch.setattr("streamq.worker.supervisor.QUICK", 0.0)  # no pause between two starts
    good = [{"number": n, "seconds": 0.15} for n in range(20)]
    jobs = await app.enqueue_many("q", "work", good[:8])
    bad = await app.enqueue("q", "poison", 666)
    jobs += await app.enqueue_many("q", "work", good[8:])
    supervisor = Supervisor(app, ["q"], 1, [PROGRAM, "--concurrency", "5"])
    supervising = asyncio.create_task(supervisor.run())
    try:
        with pytest.raises(JobFailed) as caught:
            await bad.result(40)
        assert caught.value.error_type == "Crashed"
        await asyncio.gather(*[job.result(40) for job in jobs])
    finally:
        supervisor.stop()
        await supervising
    assert [line.number for line in fleet.ledger("start")].count(666) == 3
    record = await bad.status()
    assert (record.state, record.crashes, len(record.history)) == (State.FAILED, 3, 3)
    assert (await app.queue("q").counts()).failed == 1
    _whole(breakable, 21)


@ON_ONE_SERVER
async def test_worker_processes_end_with_their_parent(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    parent = fleet.start("--processes", "2", "--concurrency", "3")
    workers = await until(lambda: _listed(app, 2), 20)
    parent.kill()
    parent.wait()
    await until(lambda: not [info for info in workers if _runs(info.pid)])
    await until(lambda: _listed(app, 0))


@ON_ONE_SERVER
async def test_a_rolling_restart_loses_nothing_repeats_nothing_and_charges_nothing(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    workers = [fleet.start("--concurrency", "10") for _ in range(2)]
    jobs: list[Any] = []

    async def produce() -> None:
        for n in range(60):
            jobs.extend(await app.enqueue_many("q", "work", [{"number": n, "seconds": 0.1}] * 5))
            await asyncio.sleep(0.03)

    producing = asyncio.create_task(produce())
    await until(lambda: {line.pid for line in fleet.ledger("start")} == {w.pid for w in workers}, 20)
    for worker in workers:
        fleet.start("--concurrency", "10")
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 10) == 0
    await producing
    await asyncio.gather(*[job.result(20) for job in jobs])
    assert set(Counter(line.job_id for line in fleet.ledger("start")).values()) == {1}
    assert {((await job.status()).attempt, (await job.status()).crashes) for job in jobs[::7]} == {(1, 0)}
    _whole(breakable, 300)


async def _listed(app: App, count: int) -> Any:
    workers = await app.workers()
    return (workers or True) if len(workers) == count else None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _whole(server: Server, count: int) -> None:
    with server.client() as client:
        found = census(client, "sq", "q")
    found.check()
    assert len(found.places) == count
    assert set(found.counts()) <= {"completed", "failed"}
