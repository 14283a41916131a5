"""The scripts of unique keys, priorities and requests that come again at their worst."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq import Unique

from .script_cases import FEW_BYTES, WORKER, Bench, Case, Outcome

UNIQUE = Unique(fields=["n"])
FOLLOWING = 1_000
"""Jobs that follow one, as far as the documentation advises."""


def key_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many = rig.of(100_000, 5_000)
    return [
        Case("admit", "1,000 unique jobs", _nothing, _sent(UNIQUE), {}),
        Case(
            "admit", "1,000 that replace others", _sent(UNIQUE), _sent(Unique(["n"], conflict="replace")), {}
        ),
        Case("admit", "1,000 of a priority", _nothing, _prioritised, {}),
        Case("admit", f"one that follows {FOLLOWING:,}", _line, _followed, {}),
        Case("begin", "1,000 jobs", _sent(UNIQUE), _begun, {}),
        Case("settle", "1,000 unique jobs", _taken, _settled, {}),
        Case("prune_windows", f"of {many:,}", _windows(many), _pruned, {}),
        Case("compare_keys", f"of {many:,}", _windows(many), _compared, {}),
        Case("compare_held", f"of {many:,} parked ones", lambda b: b.parked(many, FEW_BYTES), _compared, {}),
        Case("compare_held", "of 200 of 5,000 B", lambda b: b.parked(200, 5_000), _compared, {}),
        Case("claim_request", "answered with 100,000 B", _answered, _claimed, {}),
        Case("answer_request", "with 100,000 B", _nothing, _answered_again, {}),
    ]


async def _nothing(_: Bench) -> None:
    """The queue is empty."""


def _sent(unique: Unique) -> Any:
    async def send(bench: Bench, _: Any = None) -> Any:
        payloads = [{"n": number} for number in range(1_000)]
        return await bench.app.enqueue_many(QUEUE, "count", payloads, unique=unique)

    return send


async def _prioritised(bench: Bench, _: Any) -> None:
    await bench.app.enqueue_many(QUEUE, "count", range(1_000), priority="high")


async def _line(bench: Bench) -> None:
    queued = Unique(conflict="queue")
    await bench.app.enqueue_many(QUEUE, "count", range(FOLLOWING), key="k", unique=queued)


async def _followed(bench: Bench, _: Any) -> None:
    await bench.app.enqueue(QUEUE, "count", 1, key="k", unique=Unique(conflict="queue"))


async def _begun(bench: Bench, jobs: Any) -> None:
    keys = [(await job.status()).key for job in jobs[:1]] * len(jobs)
    await asyncio.gather(
        *(bench.store.unique.begin(QUEUE, key, job.id) for key, job in zip(keys, jobs, strict=True))
    )


async def _taken(bench: Bench) -> list[Any]:
    jobs = await _sent(UNIQUE)(bench)
    keys = await bench.client.hgetall(bench.keys.unique)
    by_id = {said.split(b" ")[0].decode(): key.decode() for key, said in keys.items()}
    await bench.on_links(bench.store.delivery.join, [QUEUE])
    await bench.client.xreadgroup("workers", WORKER, {bench.keys.ready: ">"}, count=1_000)
    return [(job.id, by_id[job.id]) for job in jobs]


async def _settled(bench: Bench, taken: list[Any]) -> None:
    body = b"c5 1 w\ncount\n\n1\n1"
    outcomes = [Outcome("completed", 1, i.encode(), i, body, "", key) for i, key in taken]
    await bench.on_links(bench.store.outcomes.settle, {QUEUE: outcomes})


def _windows(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        def write(pipe: Any, number: int) -> None:
            pipe.hset(bench.keys.unique, f"k{number}", "1-1 1")
            pipe.zadd(bench.keys.windows, {f"k{number}": 1})

        await bench.fill(write, count)

    return prepare


async def _pruned(bench: Bench, _: Any) -> None:
    await bench.store.retention.end_windows(QUEUE)


async def _compared(bench: Bench, _: Any) -> None:
    await bench.store.unique.compare(QUEUE, mend=True)


async def _answered(bench: Bench, _: Any = None) -> None:
    async with bench.app.once(QUEUE, "k", b"body") as request:
        await request.keep(b"x" * 100_000)


async def _claimed(bench: Bench, _: Any) -> None:
    async with bench.app.once(QUEUE, "k", b"body"):
        pass


async def _answered_again(bench: Bench, _: Any) -> None:
    await _answered(bench)
