"""What a job costs from enqueue to its finished record: CPU of Redis and of the worker, commands, bytes."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from ..draining import Drain, bare_loop, ours
from ..figures import Figure, Measured, compared
from ..rig import Rig
from ..server import Server
from ..tasks import messages

PARTS: Final = {
    "redis": ("Redis CPU per job", "µs"),
    "worker": ("worker CPU per job", "µs"),
    "commands": ("commands per job", ""),
    "received": ("bytes to Redis per job", "bytes"),
    "sent": ("bytes from Redis per job", "bytes"),
    "memory": ("memory per job while it waits", "bytes"),
}
"""By name: the figure and its unit."""
COUNTED: Final = {
    "commands": "total_commands_processed", "received": "total_net_input_bytes", "sent": "total_net_output_bytes",
}  # fmt: skip
"""By name: what the server calls it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Per job: ``PARTS`` by name, and the microseconds of each command, those inside scripts included."""

    parts: dict[str, float]
    usec: dict[str, float]


async def measure(rig: Rig) -> Measured:
    """A worker of 500 slots against a bare loop of batches of 500."""
    mine, theirs = list[Cost](), list[Cost]()
    payloads = messages(rig.of(20_000, 10_000))
    for _ in range(rig.rounds(3)):
        mine.append(await _cost(rig.server, len(payloads), ours(rig, payloads, concurrency=500)))
        theirs.append(await _cost(rig.server, len(payloads), bare_loop(rig, payloads, batch=500)))
        rig.say(f"Redis {mine[-1].parts['redis']:.1f} against {theirs[-1].parts['redis']:.1f} µs")
    figures = [
        compared(
            label, unit, [cost.parts[name] for cost in mine], [cost.parts[name] for cost in theirs],
            note="enqueue to finished record" if name == "redis" else "",
        )
        for name, (label, unit) in PARTS.items()
    ]  # fmt: skip
    return [*figures, _scripts(mine, theirs)]


def _scripts(mine: list[Cost], theirs: list[Cost]) -> Figure:
    """Where Redis' time goes, by its own clock: in scripts, and in which commands, inside scripts or not."""
    names = {name for cost in mine for name in cost.usec}
    spent = {name: median(cost.usec.get(name, 0.0) for cost in mine) for name in names}
    dearest = sorted(spent.items(), key=lambda item: -item[1])[:6]
    return Figure(
        "time in scripts per job", "µs", spent.get("evalsha", 0.0) + spent.get("eval", 0.0),
        note="by command, also inside scripts: " + ", ".join(f"{name} {usec:.1f}" for name, usec in dearest),
        samples={"streamq": [cost.usec for cost in mine], "bare": [cost.usec for cost in theirs]},
    )  # fmt: skip


async def _cost(server: Server, jobs: int, draining: Awaitable[Drain]) -> Cost:
    """What the server has counted meanwhile; its clearing at the end is no more than a command or two."""
    before = await server.info("stats"), await _usec(server)
    drain = await draining
    after = await server.info("stats"), await _usec(server)
    grown = {name: (after[0][key] - before[0][key]) / jobs for name, key in COUNTED.items()}
    usec = {name: (spent - before[1].get(name, 0.0)) / jobs for name, spent in after[1].items()}
    parts: dict[str, Any] = {**grown, **drain._asdict()}
    return Cost(
        {name: parts[name] for name in PARTS}, {name: spent for name, spent in usec.items() if spent >= 0.01}
    )


async def _usec(server: Server) -> dict[str, float]:
    """Microseconds by command."""
    commands = await server.info("commandstats")
    return {name.removeprefix("cmdstat_"): float(said["usec"]) for name, said in commands.items()}
