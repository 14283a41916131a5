"""Jobs that are cancelled and changed while processes die: done, or not, or ended elsewhere; none runs against it."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from streamq import App, JobCancelled, State

from ..processes import ROOT, Fleet, without_settings
from ..rig import ON_ONE_SERVER, census, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]

STEERING = """
import asyncio, sys
from streamq import App
from streamq.errors import JobError
async def main():
    async with App() as app:
        queue = app.queue("q")
        ids = sys.stdin.read().split()
        print("begins", flush=True)
        for number, job_id in enumerate(ids):
            act = number % 4
            try:
                if act == 0:
                    await queue.cancel(job_id, "no")
                elif act == 1:
                    await queue.change(job_id, payload={"number": number, "seconds": 0}, priority="high", delay=60)
                elif act == 2:
                    await queue.edit(job_id, {"number": -number, "seconds": 0})
                else:
                    await queue.promote(job_id)
            except JobError:
                pass
asyncio.run(main())
"""


@ON_ONE_SERVER
async def test_jobs_that_were_to_end_when_their_worker_was_killed_end_and_the_others_start_again(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    app = await producer(breakable.url)
    victim = fleet.start("--concurrency", "40")
    jobs = await app.enqueue_many("q", "work", [{"number": n, "seconds": 1.0} for n in range(40)])
    await until(lambda: len(fleet.ledger("start")) == 40)
    victim.send_signal(signal.SIGSTOP)  # it hears of nothing any more
    cancelled, others = jobs[::2], jobs[1::2]
    records = await asyncio.gather(*[job.cancel("no", by="ada") for job in cancelled])
    assert {record.state for record in records} == {State.ACTIVE}
    victim.kill()
    victim.wait()
    fleet.start("--concurrency", "40")
    for job in cancelled:
        with pytest.raises(JobCancelled, match="no"):
            await job.result(20)
    await asyncio.gather(*[job.result(20) for job in others])
    starts = Counter(line.job_id for line in fleet.ledger("start"))
    assert starts == {**{job.id: 1 for job in cancelled}, **{job.id: 2 for job in others}}
    with breakable.client() as client:
        found = census(client, "sq", "q")
        assert client.hlen("sq:{q}:cancels") == 0
    found.check()
    assert found.counts() == {"cancelled": 20, "completed": 20}


@ON_ONE_SERVER
async def test_whoever_steers_is_killed_at_any_moment_and_each_job_is_as_it_was_or_as_it_was_to_be(
    breakable: Server, producer: Producer, tmp_path: Path, fleet: Fleet
) -> None:
    app = await producer(breakable.url)
    jobs = [
        await app.enqueue("q", "work", {"number": 10_000 + n, "seconds": 0}, delay=0 if n % 2 else 60)
        for n in range(100)
    ]
    environment = without_settings(STREAMQ_REDIS_URL=breakable.url, PYTHONPATH=str(ROOT))
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", STEERING], env=environment, cwd=tmp_path, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(" ".join(job.id for job in jobs).encode())
        process.stdin.close()
        await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(random.random() * 0.2)  # noqa: S311  # not a secret
        process.kill()
        process.wait()
        process.stdout.close()
        with breakable.client() as client:
            found = census(client, "sq", "q")
        found.check()
        assert len(found.places) == 100
    records = [await job.status() for job in jobs]
    for number, record in enumerate(records):
        assert record.payload["number"] in (10_000 + number, number, -number)
        assert record.state in (State.WAITING, State.DELAYED, State.CANCELLED)
    for record in records:
        if record.state is State.DELAYED:
            await app.queue("q").promote(record.id)
    fleet.start("--concurrency", "40")
    live = {record.id for record in records if record.state is not State.CANCELLED}
    await until(lambda: len(fleet.ledger("end")) == len(live), 20)
    assert Counter(line.job_id for line in fleet.ledger("start")) == dict.fromkeys(live, 1)
