"""The scripts of the gate at their worst: many groups, long lines, and jobs that left them before their turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq.worker.reads import GATE_LIMIT

from .script_cases import FEW_BYTES, MANY_BYTES, WORKER, Bench, Case

CALLS = 50
PAST = 500
"""Jobs that are past the gate while its accounts are compared."""
LEASES = ("lease_take", "shared_lease", "lease_grant")
COMPARISONS = ("compare_gate", "compare_passed", "compare_slots", "compare_lines", "mend_used")
AT_ONCE = 1_000
Prepare = Callable[[Bench], Awaitable[Any]]


def gate_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many = rig.of(100_000, 3_000)
    some = many // 10
    return [
        Case("gate", f"{some:,} jobs of as many groups", _lined(some, some), _through, {}),
        Case("gate", f"{many:,} jobs of one group", _lined(many, 1), _through, {}),
        Case("gate", f"{some:,} jobs of {MANY_BYTES:,} B of one group", _lined(some, 1, MANY_BYTES), _through, {}),
        Case("gate", f"{many:,} jobs of 1,000 groups with limits", _lined(many, 1_000, jobs=5), _through, {}),
        Case("gate", f"{some:,} jobs of a group that were cancelled before their turn", _left(some), _through, {}),
        Case("limit", f"of all {some:,} groups", _lined(some, some), _limited, {}),
        Case("wake", f"each of {some:,} groups", _lined(some, some), _limited, {}),
        Case("group_pause", f"one of {some:,} groups", _lined(some, some), _paused, {}),
        Case("group_resume", f"a group of {many:,} jobs", _lined(many, 1, paused=True), _resumed, {}),
        Case("group_status", f"200 of {some:,} groups", _lined(some, some), _looked, {}),
        *(Case(name, f"{CALLS} leases, {some:,} jobs wait", _drawing(some), _leased, {}) for name in LEASES),
        Case("shared_limit", "of one queue", _drawing(some), _shared_limited, {}),
        Case("shared_pause", "of one queue", _drawing(some), _shared_paused, {}),
        Case("shared_status", "of one queue", _drawing(some), _shared_looked, {}),
        *(Case(name, f"{some:,} jobs of as many groups, {PAST} past the gate", _wrong(some), _compared, {})
          for name in COMPARISONS),
    ]  # fmt: skip


def _lined(count: int, groups: int, size: int = FEW_BYTES, *, jobs: int = 0, paused: bool = False) -> Prepare:
    """So many jobs in the lines of so many groups, of which each may have so many ``jobs`` past the gate."""

    async def prepare(bench: Bench) -> None:
        async with bench.store.pool.links() as links:
            await bench.store.delivery.join(links, [QUEUE])
        queue, payload = bench.app.queue(QUEUE), "x" * size
        if jobs:
            await queue.group("*").limit(concurrency=jobs)
        if paused:
            await queue.group("g0").pause()
        each = [payload] * (count // groups)
        for start in range(0, groups, AT_ONCE):
            names = [f"g{number}" for number in range(start, min(groups, start + AT_ONCE))]
            await asyncio.gather(
                *(bench.app.enqueue_many(QUEUE, "count", each, group=name) for name in names)
            )

    return prepare


def _left(count: int) -> Prepare:
    """The ids of so many jobs lie at the head of a line, and the jobs are gone."""

    async def prepare(bench: Bench) -> None:
        await _lined(count, 1)(bench)
        await bench.client.delete(bench.keys.parked)
        await bench.app.enqueue(QUEUE, "count", "x", group="g0")

    return prepare


async def _through(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        for _ in range(CALLS):
            await bench.store.delivery.through_gate(links, WORKER, {QUEUE: (GATE_LIMIT, ())})


async def _limited(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).group("*").limit(concurrency=3)


async def _paused(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).group("g1").pause("x" * 500, until=60)


async def _resumed(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).group("g0").resume()


async def _looked(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).groups(limit=200)


def _drawing(count: int) -> Prepare:
    async def prepare(bench: Bench) -> None:
        await bench.app.shared("provider").limit(concurrency=10_000, rate="1000/s")
        await bench.app.queue(QUEUE).limit(shared="provider")
        await _lined(count, count)(bench)

    return prepare


async def _leased(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        for _ in range(CALLS):
            await bench.store.delivery.through_gate(links, WORKER, {QUEUE: (GATE_LIMIT, ())})
            await bench.store.shared_limits.lease(links, QUEUE, "provider")


async def _shared_limited(bench: Bench, _: Any) -> None:
    await bench.app.shared("provider").limit(rate="500/s")


async def _shared_paused(bench: Bench, _: Any) -> None:
    await bench.app.shared("provider").pause("x" * 500)


async def _shared_looked(bench: Bench, _: Any) -> None:
    await bench.app.shared("provider").status()


def _wrong(count: int) -> Prepare:
    """So many groups wait, some of their jobs are past the gate, and what is counted of these is lost."""

    async def prepare(bench: Bench) -> None:
        await _lined(count, count)(bench)
        async with bench.store.pool.links() as links:
            for _ in range(0, PAST, GATE_LIMIT):
                await bench.store.delivery.through_gate(links, WORKER, {QUEUE: (GATE_LIMIT, ())})
        await bench.client.delete(bench.keys.used)

    return prepare


async def _compared(bench: Bench, _: Any) -> None:
    await bench.on_links(partial(bench.store.accounts.compare, mend=True), QUEUE)
