"""What a job costs from enqueue to its finished record: CPU of Redis and of the worker, commands, bytes."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from .. import bare
from ..figures import Figure, Limit, Measured, compared
from ..rig import Rig
from ..server import Server
from ..tasks import message

PARTS: Final = {
    "redis": ("Redis CPU per job", "µs"),
    "worker": ("worker CPU per job", "µs"),
    "commands": ("commands per job", ""),
    "received": ("bytes to Redis per job", "bytes"),
    "sent": ("bytes from Redis per job", "bytes"),
    "memory": ("memory per job while it waits", "bytes"),
}
"""By name: the figure and its unit."""
AIM: Final = Limit("ratio", "<=", 25 / 12)
"""Of Redis CPU."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the server has counted up to a moment."""

    cpu: float
    stats: dict[str, Any]
    usec: dict[str, float]
    """Microseconds by command."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Per job: ``PARTS`` by name, and the microseconds of each command, those inside scripts included."""

    parts: dict[str, float]
    usec: dict[str, float]


async def measure(rig: Rig) -> Measured:
    """A worker of 500 slots against a bare loop of batches of 500."""
    ours, theirs = [], []
    for _ in range(rig.of(min(rig.repeat, 3), 1)):
        ours.append(await _ours(rig))
        theirs.append(await _bare(rig))
        rig.say(f"Redis {ours[-1].parts['redis']:.1f} against {theirs[-1].parts['redis']:.1f} µs")
    figures = [
        compared(
            label, unit, [cost.parts[name] for cost in ours], [cost.parts[name] for cost in theirs],
            aim=AIM if name == "redis" else None, note="enqueue to finished record" if name == "redis" else "",
        )
        for name, (label, unit) in PARTS.items()
    ]  # fmt: skip
    return [*figures, _scripts(ours, theirs)]


def _scripts(ours: list[Cost], theirs: list[Cost]) -> Figure:
    """Where Redis' time goes, by its own clock: in scripts, and in which commands, inside scripts or not."""
    names = {name for cost in ours for name in cost.usec}
    spent = {name: median(cost.usec.get(name, 0.0) for cost in ours) for name in names}
    dearest = sorted(spent.items(), key=lambda item: -item[1])[:6]
    return Figure(
        "time in scripts per job", "µs", spent.get("evalsha", 0.0) + spent.get("eval", 0.0),
        note="by command, also inside scripts: " + ", ".join(f"{name} {usec:.1f}" for name, usec in dearest),
        samples={"streamq": [cost.usec for cost in ours], "bare": [cost.usec for cost in theirs]},
    )  # fmt: skip


async def _ours(rig: Rig) -> Cost:
    jobs, server = _jobs(rig), rig.server
    async with rig.app() as app:
        before, memory = await _read(server), await server.memory()
        await app.tasks["count"].enqueue_many([message(number).model_dump() for number in range(jobs)])
        memory = await server.memory() - memory
        async with rig.child("worker", pinned=True, concurrency=500, expected=jobs) as worker:
            said = await worker.told()
            await rig.settled(app)
            cost = _cost(before, await _read(server), jobs, said["cpu"], memory)
    await server.clear()
    return cost


async def _bare(rig: Rig) -> Cost:
    jobs, server = _jobs(rig), rig.server
    await bare.join(server.client)
    before, memory = await _read(server), await server.memory()
    await bare.enqueue(server.client, [message(number).model_dump() for number in range(jobs)])
    memory = await server.memory() - memory
    async with rig.child("bare", pinned=True, expected=jobs, batch=500, tasks=True) as loop:
        said = await loop.told()
        await loop.process.wait()
    cost = _cost(before, await _read(server), jobs, said["cpu"], memory)
    await server.clear()
    return cost


async def _read(server: Server) -> Reading:
    commands = await server.info("commandstats")
    usec = {name.removeprefix("cmdstat_"): float(said["usec"]) for name, said in commands.items()}
    return Reading(await server.cpu(), await server.info("stats"), usec)


def _cost(before: Reading, after: Reading, jobs: int, worker: float, memory: int) -> Cost:
    def grown(name: str) -> float:
        return float(after.stats[name] - before.stats[name]) / jobs

    parts = {
        "redis": (after.cpu - before.cpu) / jobs * 1e6,
        "worker": worker / jobs * 1e6,
        "commands": grown("total_commands_processed"),
        "received": grown("total_net_input_bytes"),
        "sent": grown("total_net_output_bytes"),
        "memory": memory / jobs,
    }
    usec = {name: (spent - before.usec.get(name, 0.0)) / jobs for name, spent in after.usec.items()}
    return Cost(parts, {name: spent for name, spent in usec.items() if spent >= 0.01})


def _jobs(rig: Rig) -> int:
    return rig.of(20_000, 10_000)
