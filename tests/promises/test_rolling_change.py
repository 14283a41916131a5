"""A rolling change: workers of the version before stand beside those of this one, on the data that it has left."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from streamq import App, Job, State

from .. import previous
from ..processes import ROOT, Fleet
from ..rig import ON_ONE_SERVER, census, until
from ..servers import Server

Producer = Callable[..., Awaitable[App]]


def before(fleet: Fleet) -> Fleet:
    """The same fleet, as the version before would run it."""
    old = Fleet.__new__(Fleet)
    old.folder, old.processes = fleet.folder, fleet.processes
    old.environment = {**fleet.environment, "PYTHONPATH": f"{previous.PATH}{os.pathsep}{ROOT}"}
    return old


def enqueued(fleet: Fleet, *what: dict[str, Any]) -> list[str]:
    """The ids of jobs that a process of that fleet's version enqueues."""
    program = str(Path(ROOT) / "tests" / "programs" / "producing.py")
    made = subprocess.run(
        [sys.executable, program, *map(json.dumps, what)],
        env=fleet.environment, cwd=fleet.folder, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    return list(json.loads(made.stdout))


def work(count: int, seconds: float, **options: Any) -> dict[str, Any]:
    payloads = [{"number": n, "seconds": seconds} for n in range(count)]
    return {"task": "work", "payloads": payloads, "options": options}


@ON_ONE_SERVER
async def test_workers_of_two_versions_share_the_jobs_of_both_and_lose_and_repeat_none(
    breakable: Server, fleet: Fleet, producer: Producer
) -> None:
    old, app = before(fleet), await producer(breakable.url)
    failing = {"task": "work", "payloads": [{"number": "none"}] * 5, "options": {"attempts": 1}}
    retried = {"task": "work", "payloads": [{"number": "none"}] * 2, "options": {"attempts": 2}}
    ids = enqueued(old, failing, retried, work(30, 0.02), work(10, 0.1, delay=2.0), work(12, 1.0, timeout=60))
    failed, delayed, long = ids[:5], ids[37:47], ids[47:]

    victim = old.start("--concurrency", "8")
    await until(lambda: _has_only(app, fleet, set(long), 8), 20)
    victim.kill()
    victim.wait()
    charged = {line.job_id for line in fleet.ledger("start")} - {line.job_id for line in fleet.ledger("end")}
    assert charged, "it had jobs in its hands"

    workers = [old.start("--concurrency", "8"), fleet.start("--concurrency", "8")]
    ids += enqueued(old, work(60, 0.05)) + enqueued(fleet, work(60, 0.05), work(10, 0.05, delay=0.5))
    done = [job for job in ids if job not in ids[:7]]
    results = await asyncio.gather(*[_handle(app, job_id).result(30) for job_id in done])
    assert {pid for _, pid in results} >= {worker.pid for worker in workers}, "both have worked"

    ends = Counter(line.job_id for line in fleet.ledger("end"))
    assert ends == Counter(done), "none is lost, none is done twice"
    starts = Counter(line.job_id for line in fleet.ledger("start"))
    assert {job_id for job_id, count in starts.items() if count > 1} == charged
    for job_id in failed:
        record = await app.queue("q").get(job_id)
        assert (record.state, (record.asdict()["error"] or {})["type"]) == (State.FAILED, "InvalidPayload")
    assert (await app.queue("q").get(delayed[0])).attempt == 1

    await app.queue("q").retry(failed[0])
    await until(lambda: _is_failed(app, failed[0]))
    for worker in workers:
        worker.terminate()
    assert [worker.wait(10) for worker in workers] == [0, 0]
    with breakable.client() as client:
        found = census(client, app.settings.prefix, "q")
    found.check()
    assert found.counts() == {"completed": len(done), "failed": 7}


def _handle(app: App, job_id: str) -> Job[list[int]]:
    return Job(job_id, "q", "work", app.client, None)


async def _is_failed(app: App, job_id: str) -> bool:
    return (await app.queue("q").get(job_id)).state is State.FAILED


async def _has_only(app: App, fleet: Fleet, long: set[str], count: int) -> bool:
    """Whether so many of the long jobs run, and the outcomes of those before them are written."""
    running = len({line.job_id for line in fleet.ledger("start")} & long)
    return running == count == (await app.queue("q").counts()).active
