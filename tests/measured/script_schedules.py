"""The scripts of schedules at their worst: among many, with a large payload."""

from __future__ import annotations

from typing import Any, Final

from bench.rig import Rig
from bench.tasks import QUEUE

from .script_cases import Bench, Case

NAME: Final = "s"
BYTES: Final = 65_000


def schedule_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    size = f"{BYTES // 1000} KB, one of {_many(rig):,}"
    return [
        Case("schedule_claim", f"a name, one of {_many(rig):,}", _others, _put, {}),
        Case("schedule_put", size, _others, _put, {}),
        Case("schedule_pause", size, _kept, lambda bench, _: bench.app.schedules.pause(NAME), {}),
        Case("schedule_remove", size, _kept, lambda bench, _: bench.app.schedules.remove(NAME), {}),
        Case("tick", size, _kept, lambda bench, _: bench.app.schedules.run(NAME), {}),
    ]


def _many(rig: Rig) -> int:
    return rig.of(10_000, 1_000)


async def _others(bench: Bench) -> None:
    keys, shared = bench.keys, bench.store.shared.schedules

    def command(pipe: Any, number: int) -> None:
        name = f"other-{number}"
        pipe.hset(shared, name, QUEUE)
        pipe.hset(keys.schedules, name, '1 {"task":"count","every":60}\nnull')
        pipe.zadd(keys.ticks, {name: 2_000_000_000_000 + number})

    await bench.fill(command, _many(bench.rig))


async def _put(bench: Bench, _: Any) -> None:
    await bench.app.schedules.put(NAME, queue=QUEUE, task="count", payload="x" * BYTES, every=60)


async def _kept(bench: Bench) -> None:
    await _others(bench)
    await _put(bench, None)
