"""docket (the package is pydocket). It has no bulk call: concurrent `add`s share its connections.

With all slots busy its worker waits ``minimum_check_interval`` (250 ms by default, which allows 200 jobs a second), and
at a concurrency of 100 it runs out of connections. A zero ``execution_ttl`` keeps nothing of a finished job.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from docket import Docket, Worker

from .adapter import JOBS, Batches, Payload, chunks, play

TICK = timedelta(milliseconds=5)


async def job(payload: Payload) -> None:
    """The no-op."""
    JOBS.ran(payload)


def _docket(url: str) -> Docket:
    return Docket(name="bench", url=url, execution_ttl=timedelta(0))


async def enqueue(url: str, batches: Batches) -> None:
    """Fifty `add`s at a time."""
    async with _docket(url) as docket:
        docket.register(job)
        for payloads in batches:
            for chunk in chunks(payloads, 50):
                await asyncio.gather(*[docket.add(job)(payload) for payload in chunk])


async def work(url: str) -> None:
    """A worker that looks often."""
    async with _docket(url) as docket:
        docket.register(job)
        async with Worker(
            docket, concurrency=50, minimum_check_interval=TICK, scheduling_resolution=TICK
        ) as worker:
            await worker.run_forever()


if __name__ == "__main__":
    play(
        enqueue,
        work,
        packages=("pydocket", "redis", "hiredis", "uvloop"),
        settings="concurrency 50, minimum_check_interval 5 ms, execution_ttl 0",
    )
