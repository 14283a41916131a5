"""Progress and logs: what 10,000 calls of each a second cost the server, and when those who watch hear of them."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from streamq import LogLine

from ..figures import Figure, Measured, percentile
from ..rig import Rig
from ..tasks import QUEUE

if TYPE_CHECKING:
    from streamq import App, Job

JOBS: Final = 100
"""Jobs that report at the same time."""
EACH: Final = 100
"""Calls a second of each of them, of ``progress`` and of ``log``."""
WATCHED: Final = 20
"""Those of them that are watched while the commands are counted."""
WATCHERS: Final = 1_000
"""Those who watch one job afterwards."""
BEGIN: Final = 1.0
"""Seconds until all jobs run."""


async def measure(rig: Rig) -> Measured:
    """Commands a second, milliseconds, bytes and connections."""
    seconds, names = rig.of(10.0, 3.0), rig.server.client
    async with rig.app() as app, rig.worker(app, concurrency=2 * JOBS):
        payload = {"each": EACH, "seconds": seconds + 2 * BEGIN}
        jobs = await app.tasks["chatter"].enqueue_many([payload] * JOBS)
        late: list[float] = []
        watching = [asyncio.create_task(_hear(job, late)) for job in jobs[:WATCHED]]
        await asyncio.sleep(BEGIN)
        late.clear()
        before, begun = await rig.server.commands(), time.monotonic()
        await asyncio.sleep(seconds)
        commands = (await rig.server.commands() - before - 1) / (time.monotonic() - begun)
        heard = list(late)
        await asyncio.gather(*watching)
        sizes = [len(page) for page in (await names.hgetall(app.client.store.keys(QUEUE).logs)).values()]
        connections = await _connections(rig, app)
    await rig.server.clear()
    rig.say(f"{commands:.0f} commands a second; heard after {median(heard):.0f} ms")
    return [
        Figure(
            "commands for 10,000 progress and 10,000 lines a second", "1/s", commands,
            note=f"of {JOBS} jobs, those inside scripts too, over {seconds:g} s",
        ),
        Figure("a line is heard by who watches, median", "ms", median(heard), samples={"streamq": heard}),
        Figure("a line is heard by who watches, p99", "ms", percentile(heard, 0.99), note=f"max {max(heard):.0f}"),
        Figure("kept of the log of a job", "B", sum(sizes) / JOBS, note=f"of {EACH * seconds:,.0f} lines and more"),
        Figure(f"connections of {WATCHERS:,} watchers", "", connections),
    ]  # fmt: skip


async def _hear(job: Job[Any], late: list[float]) -> None:
    """Milliseconds from each line's own time until it is heard."""
    async for event in job.watch():
        if isinstance(event, LogLine):
            took = time.monotonic_ns() - int(event.text)
            late.append(took / 1e6)


async def _connections(rig: Rig, app: App) -> int:
    """How many more there are while 1,000 watch."""
    job = await app.enqueue(QUEUE, "chatter", {"each": 1, "seconds": 60.0})
    await job.status()
    before = await rig.server.connections()
    watching = [asyncio.create_task(_hear(job, [])) for _ in range(WATCHERS)]
    await asyncio.sleep(BEGIN)
    more = await rig.server.connections() - before
    for each in watching:
        each.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*watching, return_exceptions=True)
    await job.cancel()
    return more
