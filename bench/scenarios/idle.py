"""What idling costs: commands a second and connections of an idle worker, and the memory of `streamq up`."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

from redis.asyncio.client import Monitor

from ..figures import Figure, Measured
from ..process import resident, serving
from ..rig import Rig

REST = 2.0
"""Seconds from a start until all is quiet."""


async def measure(rig: Rig) -> Measured:
    """Commands a second over some time, and the resident memory at its end."""
    seconds = rig.of(20.0, 10.0)  # whole beats, as a worker's commands come in them
    async with rig.app() as app, serving("up") as (process, _):
        await app.workers()  # over a connection of ours, which is asked again when the worker has begun
        before = await rig.server.connections()
        async with rig.worker(app):
            await asyncio.sleep(REST)
            rig.say(f"listening to an idle worker for {seconds:g} s")
            connections = await rig.server.connections() - before
            commands = await _commands(rig, seconds)
            memory = await resident(process.pid)
    return [*commands, Figure("connections of an idle worker", "", connections), _memory(memory)]


async def _commands(rig: Rig, seconds: float) -> list[Figure]:
    """INFO counts all commands; MONITOR tells those that scripts ran, and which they were."""
    seen: Counter[str] = Counter()
    async with rig.server.client.monitor() as monitor:
        listening = asyncio.create_task(_listen(monitor, seen))
        before = await rig.server.commands()
        await asyncio.sleep(seconds)
        total = await rig.server.commands() - before - 1  # the INFO just sent
        listening.cancel()
        await asyncio.wait([listening])
    nested = sum(count for name, count in seen.items() if name.startswith("script:"))
    return [
        Figure(
            "commands an idle worker sends", "1/s", (total - nested) / seconds, note=f"over {seconds:g} s",
            samples={"commands": [dict(seen)]},
        ),
        Figure("the same, those inside scripts too", "1/s", total / seconds),
    ]  # fmt: skip


async def _listen(monitor: Monitor, seen: Counter[str]) -> None:
    async for command in monitor.listen():
        inside = "script:" if command["client_type"] == "lua" else ""
        seen[inside + str(command["command"]).split(" ", 1)[0].upper()] += 1


def _memory(used: int) -> Figure:
    if not used:
        return Figure("memory of `streamq up`", "MB", math.nan, note="not measured: ps does not tell")
    return Figure("memory of `streamq up`", "MB", used / 1e6, note="resident, without the server")
