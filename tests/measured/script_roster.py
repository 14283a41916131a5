"""The scripts of workers, seats and suspects at their worst."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq import RunningJob, WorkerInfo, WorkerLoad
from streamq.model.keys import Keys
from streamq.redis import scripts

from .script_cases import FEW_BYTES, GROUP, WORKER, Bench, Case

STARTED: Final = datetime(2030, 1, 1, tzinfo=UTC)
QUEUES: Final = tuple(f"q{number}" for number in range(100))


def roster_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many = _many(rig)
    return [
        Case("claim", f"a seat, among {many:,} workers", _listed, _claimed, {}),
        Case("vacate", "three seats", _seated, _vacated, {}),
        Case("vouch", f"for one of {many:,} workers", _listed, _vouched, {}),
        Case("introduce", "a worker of 100 queues", _known, _introduced, {}),
        Case("forget", "a worker of 100 queues", _known, _forgotten, {}),
        Case("beat", "on 100 queues", _listed, _beaten, {}),
        Case("attend", "a worker that runs 20 jobs", _known, _attended, {}),
        Case("ask", "a worker of 100 queues to be quiet", _known, _asked, {}),
        Case("note", "a queue's name", _listed, lambda bench, _: bench.store.queues.announce(QUEUE), {}),
        Case("rights", "of the commands that are needed", _listed, _rights_asked, {}),
        Case("join", "all lanes", lambda bench: bench.entries(many, FEW_BYTES), _joined, {}),
        Case("claim_suspect", f"of {many:,}, half of them delivered", _suspected, _suspect_claimed, {}),
        Case("pass_on", f"{many:,} that wait, none of whom listens", _waited, _passed_on, {}),
        Case("postpone", "2,000 jobs", lambda bench: bench.parked(10_000, FEW_BYTES), _postponed, {}),
    ]


def _many(rig: Rig) -> int:
    return rig.of(10_000, 1_000)


def _info() -> WorkerInfo:
    return WorkerInfo(
        name=WORKER, host="host", pid=1, queues=QUEUES, concurrency=100, version="0",
        started_at=STARTED, token="t" * 32,
    )  # fmt: skip


async def _listed(bench: Bench) -> None:
    await bench.client.zadd(bench.keys.workers, {f"w{number}": 1 for number in range(_many(bench.rig))})


async def _claimed(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await bench.store.seats.claim(links, {QUEUE: True}, WORKER, (1, 2), 2.0, 1.0)


async def _seated(bench: Bench) -> None:
    await _claimed(bench, None)


async def _vacated(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await bench.store.seats.vacate(links, [QUEUE], WORKER)


def _sharded(bench: Bench) -> Keys:
    return Keys(bench.store.settings.prefix, QUEUE, sharded=True)


async def _waited(bench: Bench) -> None:
    names = [f"w{number}" for number in range(_many(bench.rig))]
    await bench.store.pool.call(QUEUE, "RPUSH", _sharded(bench).waiters, *names)


async def _passed_on(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await scripts.PASS_ON.run(links.of(QUEUE), _sharded(bench))


async def _vouched(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await bench.store.workers.vouch(links, QUEUE, "w1", b"1")


async def _introduced(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await bench.store.workers.introduce(links, _info())


async def _known(bench: Bench) -> None:
    await _introduced(bench, None)


async def _forgotten(bench: Bench, _: Any) -> None:
    await bench.store.workers.forget(WORKER, _info().token)


async def _beaten(bench: Bench, _: Any) -> None:
    await asyncio.to_thread(_beat, bench)


def _beat(bench: Bench) -> None:
    links = bench.store.thread_links(WORKER)
    links.connect()
    try:
        bench.store.workers.beat(links, WORKER, _info().queues, seat_lasts=60.0)
    finally:
        links.close()


async def _attended(bench: Bench, _: Any) -> None:
    running = tuple(RunningJob(f"1700000000000-{n}", QUEUES[0], "task", STARTED) for n in range(20))
    await asyncio.to_thread(_attend, bench, WorkerLoad(STARTED, "working", 100, running, 10**8, 0.001, 0.001))


def _attend(bench: Bench, load: WorkerLoad) -> None:
    links = bench.store.thread_links(WORKER)
    links.connect()
    try:
        bench.store.workers.beat(links, WORKER, (), load=load)
    finally:
        links.close()


async def _asked(bench: Bench, _: Any) -> None:
    await bench.store.workers.ask(WORKER, "quiet")


async def _rights_asked(bench: Bench, _: Any) -> None:
    await bench.store.server.missing_rights(bench.store.servers.home)


async def _joined(bench: Bench, _: Any) -> None:
    await bench.on_links(bench.store.delivery.join, [QUEUE])


async def _suspected(bench: Bench) -> None:
    await bench.on_links(bench.store.delivery.join, [QUEUE])
    fields = {"task": "count", "payload": "x" * FEW_BYTES, "headers": ""}
    await bench.fill(lambda pipe, _: pipe.xadd(bench.keys.alone, fields), _many(bench.rig))
    await bench.client.xreadgroup(GROUP, WORKER, {bench.keys.alone: ">"}, count=_many(bench.rig) // 2)


async def _suspect_claimed(bench: Bench, _: Any) -> None:
    await bench.on_links(bench.store.delivery.claim_suspect, QUEUE, WORKER, 4_000)


async def _postponed(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await bench.store.delayed.bring_back(links, QUEUE, [(f"1-{number}", 60.0) for number in range(2_000)])
