"""The scripts of workers, seats and suspects at their worst."""

from __future__ import annotations

from typing import Any

from streamq.deliveries import claim_suspect
from streamq.worker.identity import describe

from .rig import Rig
from .script_cases import FEW_BYTES, GROUP, WORKER, Bench, Case
from .tasks import QUEUE


def roster_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many, queues = rig.of(10_000, 1_000), tuple(f"q{number}" for number in range(100))

    def info(bench: Bench) -> Any:
        return describe(WORKER, queues, 100, bench.app.settings)

    async def listed(bench: Bench) -> None:
        await bench.client.zadd(bench.keys.workers, {f"w{number}": 1 for number in range(many)})

    async def claimed(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await bench.store.roster.claim(link, {QUEUE: True}, WORKER, (1, 2), 2.0)

    async def seated(bench: Bench) -> None:
        await claimed(bench, None)

    async def vacated(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await bench.store.roster.vacate(link, [QUEUE], WORKER)

    async def vouched(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await bench.store.roster.vouch(link, QUEUE, "w1", b"1")

    async def introduced(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await link.call(*bench.store.roster.introduce(info(bench)))

    async def known(bench: Bench) -> None:
        await introduced(bench, None)

    async def forgotten(bench: Bench, _: Any) -> None:
        await bench.store.roster.forget(WORKER, info(bench).token)

    async def beaten(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await link.calls(*bench.store.roster.beat(info(bench)))

    async def joined(bench: Bench, _: Any) -> None:
        await bench.on_link("join", [QUEUE])

    async def suspected(bench: Bench) -> None:
        await bench.on_link("join", [QUEUE])
        fields = {"task": "count", "payload": "x" * FEW_BYTES, "headers": ""}
        await bench.fill(lambda pipe, _: pipe.xadd(bench.keys.alone, fields), many)
        await bench.client.xreadgroup(GROUP, WORKER, {bench.keys.alone: ">"}, count=many // 2)

    async def suspect_claimed(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await claim_suspect(bench.store, link, QUEUE, WORKER, 4_000)

    async def postponed(bench: Bench, _: Any) -> None:
        async with bench.store.pool.link() as link:
            await link.calls(*bench.store.postpone(QUEUE, [(f"1-{number}", 60.0) for number in range(2_000)]))

    return [
        Case("claim", f"a seat, among {many:,} workers", listed, claimed, {}),
        Case("vacate", "three seats", seated, vacated, {}),
        Case("vouch", f"for one of {many:,} workers", listed, vouched, {}),
        Case("introduce", "a worker of 100 queues", known, introduced, {}),
        Case("forget", "a worker of 100 queues", known, forgotten, {}),
        Case("note", "a beat on 100 queues", listed, beaten, {}),
        Case("join", "two lanes", lambda bench: bench.entries(many, FEW_BYTES), joined, {}),
        Case("claim_suspect", f"of {many:,}, half of them delivered", suspected, suspect_claimed, {}),
        Case("postpone", "2,000 jobs", lambda bench: bench.parked(10_000, FEW_BYTES), postponed, {}),
    ]
