"""What idling costs: commands a second of an idle worker, and the memory of `streamq up`."""

from __future__ import annotations

import asyncio
import contextlib
import math
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio.client import Monitor

from ..figures import Figure, Limit, Measured
from ..process import answers, free_port, output_of, program, streamq
from ..rig import Rig

REST = 2.0
"""Seconds from a start until all is quiet."""


async def measure(rig: Rig) -> Measured:
    """Commands a second over some time, and the resident memory at its end."""
    seconds = rig.of(20.0, 10.0)  # whole beats, as a worker's commands come in them
    with tempfile.TemporaryDirectory(prefix="streamq-up-") as folder:
        async with rig.app() as app, _up(Path(folder)) as pid, rig.worker(app):
            await asyncio.sleep(REST)
            rig.say(f"listening to an idle worker for {seconds:g} s")
            commands = await _commands(rig, seconds)
            memory = await _resident(pid)
    await rig.server.clear()
    return [*commands, _memory(memory)]


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
    limit, samples = Limit("value", "<=", 2), {"commands": [dict(seen)]}
    return [
        Figure(
            "commands an idle worker sends", "1/s", (total - nested) / seconds, bound=limit,
            note=f"over {seconds:g} s", samples=samples,
        ),
        Figure("the same, those inside scripts too", "1/s", total / seconds, bound=limit),
    ]  # fmt: skip


async def _listen(monitor: Monitor, seen: Counter[str]) -> None:
    async for command in monitor.listen():
        inside = "script:" if command["client_type"] == "lua" else ""
        seen[inside + str(command["command"]).split(" ", 1)[0].upper()] += 1


@contextlib.asynccontextmanager
async def _up(folder: Path) -> AsyncIterator[int | None]:
    """`streamq up` on a server of its own; None when it does not come up."""
    log, port = folder / "log", free_port()
    arguments = streamq("up", "--port", str(port), "--data-dir", str(folder / "data"))
    async with program(*arguments, cwd=folder, log=log) as process:
        yield process.pid if await answers(f"http://127.0.0.1:{port}/ready", process) else None


async def _resident(pid: int | None) -> int:
    """Bytes of a process; 0 when it is not there."""
    return 1024 * int(await output_of("ps", "-o", "rss=", "-p", str(pid)) or 0) if pid else 0


def _memory(resident: int) -> Figure:
    if not resident:
        return Figure("memory of `streamq up`", "MB", math.nan, note="not measured: it did not come up")
    return Figure(
        "memory of `streamq up`", "MB", resident / 1e6, bound=Limit("value", "<=", 80),
        note="resident, without the server", samples={"streamq": [resident]},
    )  # fmt: skip
