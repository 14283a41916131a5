"""A worker of the messaging service that watches its own event loop: ``python -m tests.service.lagged_worker``.

It says when it is ready, and watches from then on; when its input is closed it ends, and writes how late the loop
was, in milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
from time import perf_counter

import orjson
from streamq_service.messaging import messaging_app
from streamq_service.settings import ServiceSettings

from streamq import Worker
from streamq.runtime import run

EVERY = 0.002
"""Seconds between two looks at the clock."""


async def watch(late: list[float]) -> None:
    """Note by how many milliseconds each wake-up came too late."""
    while True:
        due = perf_counter() + EVERY
        await asyncio.sleep(EVERY)
        late.append((perf_counter() - due) * 1000)


async def main() -> None:
    """Work until standard input is closed."""
    app = messaging_app(ServiceSettings.load())
    late: list[float] = []
    async with app:
        worker = Worker(app, concurrency=200)
        work = asyncio.create_task(worker.run())
        await worker.is_ready.wait()
        watching = asyncio.create_task(watch(late))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        watching.cancel()
        worker.stop()
        await work
    late.sort()
    told = {
        "max": late[-1],
        "p99": late[len(late) * 99 // 100],
        "p50": late[len(late) // 2],
        "looks": len(late),
    }
    sys.stdout.buffer.write(orjson.dumps({name: round(value, 2) for name, value in told.items()}) + b"\n")


if __name__ == "__main__":
    run(main())
