"""The scripts of partitions at their worst."""

from __future__ import annotations

from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq.model.partitions import WHOLE
from streamq.redis import scripts

from .script_cases import FEW_BYTES, Bench, Case

MANY = 10_000
"""Groups and keys that stay at an old home."""


def partition_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    count = rig.of(10_000, 1_000)
    return [
        Case("partition_change", "of one of 1,000 queues", _listed, _changed, {}),
        Case("placing", "one partition", lambda bench: bench.parked(1, 1), _closed, {}),
        Case("tenants", f"of {count:,} parked jobs", lambda bench: _grouped(bench, count), _tenants, {}),
        Case("leave_home", "500 groups", _staying, _left, {}),
    ]


async def _listed(bench: Bench) -> None:
    key = bench.store.shared.partitions
    await bench.client.hset(key, mapping={f"q{number}": WHOLE.written() for number in range(1_000)})


async def _changed(bench: Bench, _: Any) -> None:
    on = scripts.PARTITION_CHANGE.on(partitions=bench.store.shared.partitions)
    async with bench.store.pool.links() as links:
        text = WHOLE.written()
        assert await scripts.PARTITION_CHANGE.run(links.home, on, "q7", text, text)


async def _closed(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await scripts.PLACING.run(links.of(QUEUE), bench.keys, 5)


async def _grouped(bench: Bench, count: int) -> None:
    def write(pipe: Any, number: int) -> None:
        headers = f'{{"id":"1-{number}","group":"tenant-{number}:part"}}'
        pipe.hset(bench.keys.parked, f"1-{number}", f"count\n{headers}\n" + "1" * FEW_BYTES)

    await bench.fill(write, count)


async def _tenants(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        cursor, found = b"", 0
        while cursor != b"0":
            cursor, *said = await scripts.TENANTS.run(links.of(QUEUE), bench.keys, cursor or 0, 500)
            found += len(said)
    assert found


async def _staying(bench: Bench) -> None:
    await bench.client.hset(bench.keys.staying, mapping={f"g{number}": 1 for number in range(MANY)})


async def _left(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        fields = [part for number in range(500) for part in (f"g{number}", 1)]
        assert (await scripts.LEAVE_HOME.run(links.of(QUEUE), bench.keys, *fields))[0] == 500
