"""Bytes of Redis memory per waiting job, and per completed job that is kept."""

from __future__ import annotations

from .. import bare
from ..figures import Figure, Limit, Measured
from ..rig import Rig
from ..server import PREFIX
from ..tasks import QUEUE

KEPT = 100
"""Bytes of a completed job's payload."""


async def measure(rig: Rig) -> Measured:
    """For payloads of 50 to 1,000 bytes."""
    figures = [await _waiting(rig, size) for size in (50, 100, 300, 1000)]
    return [*figures, await _completed(rig)]


def _payload(size: int, number: int) -> str:
    """Text whose JSON form has ``size`` bytes."""
    return f"{number:0{size - 2}d}"


async def _waiting(rig: Rig, size: int) -> Figure:
    jobs = rig.of(100_000, 20_000)
    ours = await _ours(rig, [_payload(size, number) for number in range(jobs)])
    mixed = await _ours(rig, [_payload(_around(size, number), number) for number in range(jobs)])
    theirs = await _bare(rig, [_payload(size, number) for number in range(jobs)])
    rig.say(f"payload {size} B: {ours[0]:.1f} against {theirs:.1f} bytes")
    return Figure(
        f"waiting job, payload {size} B", "bytes", ours[0], theirs, ours[0] / theirs,
        Limit("value", "<=", size + 60), Limit("value", "<=", size + 40),
        f"{size} B on average, from 80 to 120 %: {mixed[0]:.0f}; MEMORY USAGE {ours[1]:.0f}",
        {"streamq": [ours[0]], "bare": [theirs], "mixed": [mixed[0]]},
    )  # fmt: skip


def _around(size: int, number: int) -> int:
    """Sizes from 80 to 120 %, evenly: how an allocator rounds depends on the very byte."""
    return size * 4 // 5 + number * 7919 % (size * 2 // 5 + 1)


async def _ours(rig: Rig, payloads: list[str]) -> tuple[float, float]:
    """Bytes per job, by INFO and by MEMORY USAGE of the stream."""
    async with rig.app() as app:
        await app.tasks["count"].enqueue_many(payloads[:1])
        before = await rig.server.memory()
        await app.tasks["count"].enqueue_many(payloads)
        used = await rig.server.memory() - before
        streams = [key async for key in rig.server.client.scan_iter(match=f"{PREFIX}:*:ready")]
        counted = [await rig.server.client.memory_usage(key, samples=0) or 0 for key in streams]
    await rig.server.clear()
    return used / len(payloads), sum(counted) / len(payloads)


async def _bare(rig: Rig, payloads: list[str]) -> float:
    before = await rig.server.memory()
    await bare.enqueue(rig.server.client, payloads)
    used = await rig.server.memory() - before
    await rig.server.clear()
    return used / len(payloads)


async def _completed(rig: Rig) -> Figure:
    jobs = rig.of(50_000, 20_000)
    async with rig.app() as app:
        before = await rig.server.memory()
        await app.tasks["count"].enqueue_many([_payload(KEPT, number) for number in range(jobs)])
        async with rig.child("worker", settings={"keep_completed": jobs}, expected=jobs) as worker:
            await worker.told()
            await rig.settled(app)
        ours = (await rig.server.memory() - before) / jobs
        kept = (await app.queue(QUEUE).counts()).completed
    await rig.server.clear()
    return Figure(
        f"completed job, payload {KEPT} B", "bytes", ours, aim=Limit("value", "<=", KEPT + 150),
        note=f"{kept:,} kept", samples={"streamq": [ours]},
    )  # fmt: skip
