"""The scripts of pauses, bounds and background operations at their worst."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.rig import Rig
from bench.tasks import QUEUE
from streamq import State
from streamq.model.operation import new_id
from streamq.worker.tally import AT_ONCE, GroupTally

from .script_cases import FEW_BYTES, KEPT_LONG, MANY_BYTES, WORKER, Bench, Case

LONG = 500
"""Characters of a reason, as many as it may have."""


def steering_cases(rig: Rig) -> list[Case]:
    """Their cases."""
    many = rig.of(100_000, 5_000)
    return [
        Case("pause", f"a reason of {LONG} characters", _nothing, _paused, {}),
        Case("tell", "a bound beside 100 paused tasks", _steered, _bounded, {}),
        Case("told", "100 paused tasks", _steered, _read, {}),
        Case("resume", f"of {many:,} held jobs", _held(many), _resumed, {}),
        Case("queue_remove", f"of {many:,} waiting jobs", lambda b: b.entries(many, FEW_BYTES), _gone, {}),
        Case("why", f"in the middle of {many:,} that wait", _lined(many, FEW_BYTES), _asked_why, {}),
        Case("why", "in the middle of 500 of 64 KB", _lined(500, 64_000), _asked_why, {}),
        Case(
            "count_groups",
            f"{GroupTally.at_once} with times in 80 buckets each",
            _grouped,
            _grouped_again,
            {},
        ),
        Case("count", f"{AT_ONCE} tasks with times in 200 buckets each", _counted, _counted_again, {}),
        Case("operate", "beside 100 operations", _operated, _begun, {}),
        Case("purge", f"of {many:,} waiting jobs", lambda b: b.entries(many, FEW_BYTES), _purged, {}),
        Case("bulk", "50 of some thousand jobs that wait are cancelled", _waiting(5_000), _bulked, KEPT_LONG),
        Case(
            "scan_lane",
            "200 of some thousand jobs that wait",
            _waiting(5_000),
            _searched("state:waiting"),
            {},
        ),
        Case(
            "scan_held",
            "200 of some thousand jobs that are parked",
            _parked(5_000),
            _searched("state:held"),
            {},
        ),
        Case(
            "scan_held",
            "some thousand jobs that are parked, for those of a group",
            _parked(5_000),
            _searched("state:held group:g"),
            {},
        ),
        Case("read_jobs", "200 of some thousand jobs", _parked(5_000), _searched("state:delayed"), {}),
        Case("clone", "a job of 5 KB", _cancelled, _cloned, {}),
        Case("purge", "of 200 of 64 KB", lambda b: b.entries(200, 64_000), _purged, {}),
    ]


async def _nothing(_: Bench) -> None:
    """There is nothing to prepare."""


async def _paused(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).pause("x" * LONG, by="y" * LONG)


async def _steered(bench: Bench) -> None:
    for number in range(100):
        await bench.app.queue(QUEUE).pause("x" * LONG, task=f"task{number}")


async def _bounded(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).limit(max_waiting=10)


async def _read(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).steering()


async def _gone(bench: Bench, _: Any) -> None:
    await bench.app.queue(QUEUE).remove(purge=True)


def _lined(count: int, size: int) -> Any:
    async def prepare(bench: Bench) -> bytes:
        async with bench.store.pool.links() as links:
            await bench.store.delivery.join(links, [QUEUE])
        return (await bench.entries(count, size))[count // 2]

    return prepare


async def _asked_why(bench: Bench, entry: bytes) -> None:
    await bench.app.queue(QUEUE).why(entry.decode() if isinstance(entry, bytes) else entry)


async def _counted(bench: Bench) -> None:
    await bench.store.server.read_clock()
    await _count(bench, 1)


async def _counted_again(bench: Bench, _: Any) -> None:
    await _count(bench, 2)


async def _grouped(bench: Bench) -> None:
    await bench.store.server.read_clock()
    await _count_groups(bench, 1)


async def _grouped_again(bench: Bench, _: Any) -> None:
    await _count_groups(bench, 2)


async def _count_groups(bench: Bench, number: int) -> None:
    sums = Counter({f"{letter}{bucket}": 10**6 for letter in "rw" for bucket in range(40)})
    async with bench.store.pool.links() as links:
        said = {QUEUE: (number, {f"tenant{n}": sums for n in range(GroupTally.at_once)})}
        await bench.store.statistics.add_of_groups(links, WORKER, said)


async def _count(bench: Bench, number: int) -> None:
    sums = Counter({f"{letter}{bucket}": 10**6 for letter in "rw" for bucket in range(100)})
    async with bench.store.pool.links() as links:
        said = {QUEUE: (number, {f"task{n}": sums for n in range(AT_ONCE)})}
        await bench.store.statistics.add(links, WORKER, said)


def _held(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await bench.app.queue(QUEUE).pause(task="count")
        await bench.app.enqueue_many(QUEUE, "count", range(count))
        await bench.app.queue(QUEUE).resume(task="count")

    return prepare


async def _resumed(bench: Bench, _: Any) -> None:
    async with bench.store.pool.links() as links:
        await bench.store.steering.resume_held(links, QUEUE)


async def _operated(bench: Bench) -> None:
    for _ in range(100):
        await _begun(bench, None)


async def _begun(bench: Bench, _: Any) -> None:
    await bench.store.operations.begin(QUEUE, new_id(QUEUE), "purge", [State.EXPIRED], 1, "somebody")


def _waiting(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await bench.app.enqueue_many(QUEUE, "count", ["x" * FEW_BYTES] * count)

    return prepare


def _parked(count: int) -> Any:
    async def prepare(bench: Bench) -> None:
        await bench.app.enqueue_many(QUEUE, "count", ["x" * FEW_BYTES] * count, delay=3_600)

    return prepare


async def _bulked(bench: Bench, _: Any) -> None:
    operation = await bench.app.queue(QUEUE).cancel_all("task:count")
    for _step in range(5):
        await bench.store.operations.help(QUEUE, operation.id)
    await operation.cancel()


def _searched(text: str) -> Any:
    async def act(bench: Bench, _: Any) -> None:
        await bench.app.queue(QUEUE).search(f"{text} payload=none")

    return act


async def _cancelled(bench: Bench) -> str:
    job = await bench.app.enqueue(QUEUE, "count", "x" * MANY_BYTES)
    await job.cancel()
    return job.id


async def _cloned(bench: Bench, job_id: str) -> None:
    await bench.app.queue(QUEUE).retry(job_id, payload="y" * MANY_BYTES)


async def _purged(bench: Bench, _: Any) -> None:
    purge = await bench.app.queue(QUEUE).purge([State.WAITING])
    for _step in range(5):
        await bench.store.operations.help(QUEUE, purge.id)
