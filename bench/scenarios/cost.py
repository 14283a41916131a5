"""What a job costs from enqueue to its finished record: CPU of Redis and of the worker, and commands."""

from __future__ import annotations

from typing import NamedTuple

from .. import bare
from ..figures import Limit, Measured, compared
from ..rig import Rig
from ..tasks import message


class Cost(NamedTuple):
    """Per job: microseconds of CPU, and commands, those inside scripts included."""

    redis: float
    worker: float
    commands: float


async def measure(rig: Rig) -> Measured:
    """A worker of 500 slots against a bare loop of batches of 500."""
    ours, theirs = [], []
    for _ in range(rig.of(min(rig.repeat, 3), 1)):
        ours.append(await _ours(rig))
        theirs.append(await _bare(rig))
        rig.say(f"Redis {ours[-1].redis:.1f} against {theirs[-1].redis:.1f} µs")
    return [
        compared(
            "Redis CPU per job", "µs", [cost.redis for cost in ours], [cost.redis for cost in theirs],
            aim=Limit("ratio", "<=", 25 / 12), note="enqueue to finished record",
        ),
        compared("worker CPU per job", "µs", [cost.worker for cost in ours], [cost.worker for cost in theirs]),
        compared("commands per job", "", [cost.commands for cost in ours], [cost.commands for cost in theirs]),
    ]  # fmt: skip


async def _ours(rig: Rig) -> Cost:
    jobs, server = _jobs(rig), rig.server
    async with rig.app() as app:
        cpu, commands = await server.cpu(), await server.commands()
        await app.tasks["count"].enqueue_many([message(number) for number in range(jobs)])
        async with rig.child("worker", pinned=True, concurrency=500, expected=jobs) as worker:
            said = await worker.told()
            await rig.settled(app)
            cost = await _since(rig, cpu, commands, said["cpu"])
    await server.clear()
    return cost


async def _bare(rig: Rig) -> Cost:
    jobs, server = _jobs(rig), rig.server
    await bare.join(server.client)
    cpu, commands = await server.cpu(), await server.commands()
    await bare.enqueue(server.client, [message(number).model_dump() for number in range(jobs)])
    async with rig.child("bare", pinned=True, expected=jobs, batch=500, tasks=True) as loop:
        said = await loop.told()
        await loop.process.wait()
    cost = await _since(rig, cpu, commands, said["cpu"])
    await server.clear()
    return cost


async def _since(rig: Rig, cpu: float, commands: int, worker: float) -> Cost:
    jobs, server = _jobs(rig), rig.server
    spent, sent = await server.cpu() - cpu, await server.commands() - commands
    return Cost(spent / jobs * 1e6, worker / jobs * 1e6, sent / jobs)


def _jobs(rig: Rig) -> int:
    return rig.of(20_000, 10_000)
