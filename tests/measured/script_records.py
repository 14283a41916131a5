"""The scripts of what is kept beside jobs at their worst: among many entries whose time is over."""

from __future__ import annotations

from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq.model.slowest import written

from .script_cases import Bench, Case

BYTES = 65_000


def record_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    size = f"{BYTES // 1000} KB, beside {_many(rig):,} that are over"
    return [
        Case("records_put", size, _over, _put, {}),
        Case("records_get", size, _kept, lambda bench, _: _records(bench).get("k"), {}),
        Case("records_count", f"beside {_many(rig):,} that are over", _over, _counted, {}),
        Case("records_list", f"{BYTES // 1000} KB each", _large, _listed, {}),
        Case("tally", "20 subjects with 200 counts each", _nothing, _tallied, {}),
        Case("slow", "200 jobs beside 100", _slow, _slow_again, {}),
        Case("records_delete", size, _kept, lambda bench, _: _records(bench).delete("k"), {}),
    ]


def _many(rig: Rig) -> int:
    return rig.of(100_000, 5_000)


def _records(bench: Bench) -> Any:
    return bench.app.records(QUEUE, limit=1_000_000)


async def _over(bench: Bench) -> None:
    def write(pipe: Any, number: int) -> None:
        pipe.hset(bench.keys.records, f"vover{number}", "1\nnull")
        pipe.zadd(bench.keys.records_ends, {f"vover{number}": number})

    await bench.fill(write, _many(bench.rig))


async def _kept(bench: Bench) -> None:
    await _over(bench)
    await _put(bench, None)


async def _put(bench: Bench, _: Any) -> None:
    await _records(bench).put("k", "x" * BYTES)


async def _nothing(bench: Bench) -> None:
    pass


async def _large(bench: Bench) -> None:
    for number in range(20):
        await _records(bench).put(f"k{number}", "x" * BYTES)


async def _listed(bench: Bench, _: Any) -> None:
    await _records(bench).list(limit=1_000)


async def _tallied(bench: Bench, _: Any) -> None:
    tallies = bench.app.tallies(QUEUE)
    for subject in range(20):
        for bucket in range(100):
            tallies.time(str(subject), "send", 1.2**bucket / 1000)
            tallies.time(str(subject), "wait", 1.2**bucket / 1000)
    await tallies.send()


async def _slow(bench: Bench) -> None:
    await _told_slow(bench, 100, 0)


async def _slow_again(bench: Bench, _: Any) -> None:
    await _told_slow(bench, 200, 1_000)


async def _told_slow(bench: Bench, count: int, least: int) -> None:
    told = {written(f"{n}-0", "t" * 200, "completed", "w" * 60, 1): least + n for n in range(count)}
    async with bench.store.pool.links() as links:
        await bench.store.slow.add(links, {QUEUE: told}, 1)


async def _counted(bench: Bench, _: Any) -> None:
    for _again in range(5):
        await _records(bench).count("k", 60)
