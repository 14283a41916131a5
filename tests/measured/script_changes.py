"""The scripts that cancel, change and delete jobs at their worst."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE

from .script_cases import FEW_BYTES, KEPT_LONG, LARGE, WORKER, Bench, Case, Outcome

TOLD = json.dumps({"type": "Cancelled", "message": "x" * 500}).encode()


def change_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many, records = rig.of(100_000, 5_000), rig.of(200_000, 10_000)
    return [
        Case("cancel", f"one of {many:,} waiting ones", lambda b: b.entries(many, FEW_BYTES), _cancelled, {}),
        Case("cancel", f"{LARGE:,} B", lambda b: b.entries(1, LARGE), _cancelled, {}),
        Case("change", f"{LARGE:,} B", lambda b: b.entries(1, LARGE), _changed, {"max_payload": 2 * LARGE}),
        Case(
            "remove", f"in the middle of {records:,} completed ones", _completed(records), _removed(records // 2),
            KEPT_LONG,
        ),
        Case(
            "remove", f"the newest of {records:,} completed ones", _completed(records), _removed(records - 1),
            KEPT_LONG,
        ),
        Case("settle", "1,000 retries that are to end", _to_end, _retried, {}),
        Case("release", "1,000 that are to end", _to_end, _released, {}),
        Case("reclaim", "1,000 that are to end", _to_end, _reclaimed, {}),
    ]  # fmt: skip


async def _cancelled(bench: Bench, ids: list[bytes]) -> None:
    await bench.app.queue(QUEUE).cancel(ids[len(ids) // 2].decode())


async def _changed(bench: Bench, ids: list[bytes]) -> None:
    queue, job_id = bench.app.queue(QUEUE), ids[0].decode()
    await queue.edit(job_id, "y" * LARGE)
    await queue.reschedule(job_id, delay=60)
    await queue.promote(job_id)


def _completed(count: int) -> Callable[[Bench], Awaitable[Any]]:
    async def prepare(bench: Bench) -> int:
        born = int((await bench.client.time())[0]) * 1000
        await bench.finished(bench.keys.completed, count, FEW_BYTES, born=born)
        return born

    return prepare


def _removed(number: int) -> Callable[[Bench, Any], Awaitable[Any]]:
    return lambda bench, born: bench.app.queue(QUEUE).delete(f"{born}-{number}")


async def _to_end(bench: Bench) -> list[bytes]:
    ids = await bench.active(1_000, FEW_BYTES)
    await bench.client.hset(bench.keys.cancels, mapping=dict.fromkeys(ids, TOLD))
    return ids


async def _retried(bench: Bench, ids: list[bytes]) -> None:
    body = b"count\n\n" + b"x" * FEW_BYTES
    outcomes = [Outcome("delayed", 1, entry, entry.decode(), body, "60000") for entry in ids]
    await bench.on_links(bench.store.outcomes.settle, {QUEUE: outcomes})


async def _released(bench: Bench, ids: list[bytes]) -> None:
    await bench.on_links(bench.store.delivery.release, QUEUE, [(1, entry) for entry in ids])


async def _reclaimed(bench: Bench, _: Any) -> None:
    await bench.on_links(bench.store.recovery.reclaim, QUEUE, WORKER, None)
