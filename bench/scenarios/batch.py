"""Jobs made through the batch route, a thousand in each of four requests, against ``enqueue_many`` of the same."""

from __future__ import annotations

import time
from typing import Final

from streamq import App

from ..cores import SERVER_CORE, WORKER_CORE, pin, pinned
from ..figures import Measured, compared
from ..process import SERVED, serving
from ..rig import Rig, in_turns
from ..server import PREFIX
from ..tasks import QUEUE, message

JOBS: Final = 1_000
"""In a request, as many as may be."""
SIDES: Final = ("batch route", "enqueue_many")


async def measure(rig: Rig) -> Measured:
    """The service runs on the worker's core, as does the call that it is compared with; its client is elsewhere."""
    quiet = {"STREAMQ_REDIS_URL": rig.server.url, "STREAMQ_PREFIX": PREFIX, "STREAMQ_LOG_LEVEL": "warning"}
    async with serving("api", SERVED, **quiet) as (process, url), rig.app() as app:
        pin(process.pid, WORKER_CORE)

        async def rate(side: str) -> float:
            found = await (_through(rig, url) if side == SIDES[0] else _directly(rig, app))
            await rig.server.clear()
            return found

        rounds = await in_turns(rig.rounds(), SIDES, rate)
    return [compared("batch of 1,000 jobs over HTTP", "jobs/s", *(rounds[side] for side in SIDES))]


async def _through(rig: Rig, url: str) -> float:
    jobs = [{"task": "book", "payload": message(number).model_dump()} for number in range(JOBS)]
    load = {
        "url": f"{url}/api/v1/queues/{QUEUE}/jobs/batch", "body": {"jobs": jobs}, "clients": 4,
        "seconds": rig.of(2.0, 0.5),
    }  # fmt: skip
    async with rig.child("clients", loads=[load]) as child:
        pin(child.pid, SERVER_CORE)
        rate = (await child.told())["rate"] * JOBS
    rig.say(f"batch route: {rate:,.0f} jobs/s")
    return float(rate)


async def _directly(rig: Rig, app: App) -> float:
    jobs, task = [message(number) for number in range(JOBS)], app.tasks["book"]
    calls = rig.of(50, 15)
    with pinned(WORKER_CORE):
        await task.enqueue_many(jobs)
        start = time.perf_counter()
        for _ in range(calls):
            await task.enqueue_many(jobs)
        rate = calls * JOBS / (time.perf_counter() - start)
    rig.say(f"enqueue_many: {rate:,.0f} jobs/s")
    return rate
