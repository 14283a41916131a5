"""The scripts of a retention that is told at run time, at their worst."""

from __future__ import annotations

from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq.model.retention import Kept
from streamq.redis import scripts
from streamq.store.retention import tidy_call

from .script_cases import FEW_BYTES, KEPT_LONG, Bench, Case


def keeping_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many = rig.of(100_000, 5_000)
    return [
        Case("retain", "beside 900 tasks", _told, _tell, {}),
        Case("trail", "with 500 characters, beside 1,000", _acted, _act, {}),
        Case("tidy", f"100 jobs, one kept of {many:,}", _kept(many), _tidied, KEPT_LONG),
        Case("tidy", "100 jobs, one kept of 1,000", _kept(1_000), _tidied, KEPT_LONG),
    ]


async def _told(bench: Bench) -> None:
    await bench.client.hset(
        bench.keys.retention, mapping={f"task:{number}": b'{"completed":5}' for number in range(900)}
    )


async def _tell(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).keep(completed=1, completed_for=1, failed=1, failed_for=1)


async def _act(bench: Bench, _: Any) -> None:
    await bench.store.trail.note(QUEUE, "somebody", "queue.pause", "", {"reason": "x" * 500})


async def _acted(bench: Bench) -> None:
    for _ in range(1_000):
        await _act(bench, None)


def _kept(count: int) -> Any:
    async def prepare(bench: Bench) -> tuple[tuple[str, ...], list[Any]]:
        await bench.finished(bench.keys.completed, count, FEW_BYTES, born=1)
        ids = [f"1-{number}" for number in range(count)]
        keys, arguments = tidy_call(bench.store, QUEUE, "t", Kept(completed=1), ids[-100:], is_completed=True)
        await bench.fill(lambda pipe, number: pipe.zadd(keys[-1], {ids[number]: number}), count - 100)
        return keys, arguments

    return prepare


async def _tidied(bench: Bench, call: tuple[tuple[str, ...], list[Any]]) -> None:
    await bench.on_links(lambda links: scripts.TIDY.run(links.of(QUEUE), call[0], *call[1]))
