"""The scripts of a queue that moves, and of jobs that come from elsewhere, at their worst."""

from __future__ import annotations

from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq.model.moving import AWAITED, CHECKED, CLOSED, comes_from, leads_to
from streamq.redis import scripts
from streamq.store.bullmq import PAGE
from streamq.store.migrations import AT_ONCE
from streamq.store.pieces import MOST, Piece

from .script_cases import FEW_BYTES, Bench, Case

MOVE = "0123456789abcdef"
PEER = "queues.example.com:6379"


def moving_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many = rig.of(100_000, 5_000)
    return [
        Case("migrate_begin", f"of {many:,} waiting jobs", _waiting(many), _begun, {}),
        Case("migrate_leave", f"of {many:,} waiting jobs", _leaving(many), _left, {}),
        Case("migrate_await", "an empty queue", _nothing, _awaited, {}),
        Case("migrate_land", f"{MOST} entries of a stream of 1 KB", _led, _landed, {}),
        Case("migrate_shift", f"{AT_ONCE} keys", _named, _shifted, {}),
        Case("migrate_open", f"of {many:,} waiting jobs", _checked(many), _opened, {}),
        Case("migrate_clear", f"of {many:,} waiting jobs", _closed(many), _cleared, {}),
        Case("import_take", f"{PAGE} of {many:,} jobs", _listed(many), _taken, {}),
    ]


async def _nothing(bench: Bench) -> None:
    pass


def _waiting(count: int) -> Any:
    return lambda bench: bench.entries(count, FEW_BYTES)


def _leaving(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await bench.entries(count, FEW_BYTES)
        await _begun(bench, None)

    return prepare


def _closed(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await _leaving(count)(bench)
        await _left(bench, None)

    return prepare


def _checked(count: int) -> Any:
    """As it is when all has come: what is on the other side is there, too."""

    async def prepare(bench: Bench) -> None:
        await _closed(count)(bench)
        await bench.client.hset(bench.keys.migration, "phase", CHECKED)

    return prepare


async def _begun(bench: Bench, _: Any) -> None:
    await bench.store.migrations.begin(QUEUE, MOVE, PEER)


async def _left(bench: Bench, _: Any) -> None:
    assert await bench.store.migrations.leave(QUEUE, MOVE, leads_to(PEER)) == 0


async def _awaited(bench: Bench, _: Any) -> None:
    assert await bench.store.migrations.expect(QUEUE, MOVE, PEER, comes_from(PEER)) == AWAITED


async def _led(bench: Bench) -> None:
    assert await bench.store.migrations.take_the_lead(QUEUE, "token")


async def _landed(bench: Bench, _: Any) -> None:
    items = [each for number in range(MOST) for each in (f"1-{number + 1}", 2, "payload", "x" * 1_000)]
    await bench.store.migrations.land(QUEUE, "token", "ready", "stream", 0, Piece("0-0", items, MOST))


async def _named(bench: Bench) -> None:
    await _closed(1)(bench)
    await bench.fill(lambda pipe, number: pipe.set(bench.keys.minute(number), "x"), AT_ONCE)


async def _shifted(bench: Bench, _: Any) -> None:
    await bench.store.migrations.set_aside(QUEUE, MOVE)


async def _opened(bench: Bench, _: Any) -> None:
    await bench.store.migrations.open(QUEUE, MOVE, CHECKED)


async def _cleared(bench: Bench, _: Any) -> None:
    await bench.store.migrations.clear(QUEUE, MOVE, CLOSED)


def _listed(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await bench.fill(lambda pipe, number: pipe.lpush(bench.keys.ready, f"id-{number}"), count)

    return prepare


async def _taken(bench: Bench, _: Any) -> None:
    own = [each for number in range(PAGE) for each in (f"id-{number}", f"waiting 0 {number}")]
    on = scripts.IMPORT_TAKE.on(place=bench.keys.ready, hold=bench.keys.parked)
    async with bench.store.pool.links() as links:
        await scripts.IMPORT_TAKE.run(links.home, on, "list", *own)
