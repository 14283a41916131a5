"""Time from the request to cancel a running job to its handler, beside 100 jobs that run and with a worker at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from contextlib import asynccontextmanager
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from ..figures import Figure, Measured, percentile
from ..process import Child
from ..rig import Rig
from ..tasks import QUEUE, messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streamq import App

BESIDE: Final = 100
"""Jobs that run beside the one that is cancelled."""
PAUSE: Final = 0.004
"""Seconds before each request: all is at rest again."""
LOAD: Final = 100
"""Jobs that are sent at once, again and again, so that the worker is busy."""


async def measure(rig: Rig) -> Measured:
    """Milliseconds."""
    async with rig.app() as app, rig.worker(app, concurrency=2 * BESIDE, pinned=True) as worker:
        await app.tasks["dwell"].enqueue_many(list(range(BESIDE)))
        await worker.stamps(BESIDE)
        at_rest = await _told(rig, app, worker)
        async with _busy(app):
            at_work = await _told(rig, app, worker)
        await worker.kill()
    await rig.server.clear()
    return [*_figures("a running job", at_rest), *_figures("a running job, the worker busy", at_work)]


Times = tuple[list[float], list[float]]
"""Of requests until their handlers are told, and of jobs until they start, which take turns."""


async def _told(rig: Rig, app: App, worker: Child) -> Times:
    queue, heed, took, starts = app.queue(QUEUE), app.tasks["heed"], list[float](), list[float]()
    for number in range(BESIDE, BESIDE + rig.of(500, 100)):
        sent = time.monotonic_ns()
        job = await heed.enqueue(number)
        starts.append(((await worker.stamps(1))[number] - sent) / 1e6)
        await asyncio.sleep(PAUSE)
        asked = time.monotonic_ns()
        await queue.cancel(job.id)
        took.append(((await worker.stamps(1))[number] - asked) / 1e6)
    rig.say(f"{median(took):.2f} ms, {max(took):.2f} ms at most")
    return took, starts


@asynccontextmanager
async def _busy(app: App) -> AsyncIterator[None]:
    """Jobs that do nothing, as many as this process sends beside what it measures."""
    sending = asyncio.create_task(_send(app.tasks["book"].enqueue_many))
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.wait([sending])


async def _send(enqueue_many: Any) -> None:
    while True:
        sent: Awaitable[Any] = enqueue_many(messages(LOAD))
        await sent
        await asyncio.sleep(0.01)


def _figures(what: str, times: Times) -> list[Figure]:
    """Beside them the start of a job, as a machine that is busy delays both."""
    took, starts = times
    middle, tail = (median(took), median(starts)), (percentile(took, 0.99), percentile(starts, 0.99))
    return [
        Figure(
            f"cancel {what}, median", "ms", *middle, middle[0] / middle[1], note="bare is the start of a job",
            samples={"streamq": took, "bare": starts},
        ),
        Figure(f"cancel {what}, p99", "ms", *tail, tail[0] / tail[1], note=f"max {max(took):.1f}"),
    ]  # fmt: skip
