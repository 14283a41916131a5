"""Which jobs are slow: workers tell what runs, and what has run longest.

Where workers count nothing, the records that are kept tell what has run: the latest of each queue are looked at.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final, NamedTuple

from streamq.limited import PAGE_LIMIT
from streamq.model.clock import host_now
from streamq.model.job_record import JobRecord
from streamq.model.slow import SlowJob, SlowJobs
from streamq.model.states import State
from streamq.model.worker_info import WorkerInfo
from streamq.queue import Queue

LAST: Final = timedelta(hours=1)
QUEUES: Final = 50
"""Queues of which records are looked at: one page of each kind costs a millisecond or two."""
_ENDED: Final = (State.COMPLETED, State.FAILED)


class _Looked(NamedTuple):
    jobs: list[SlowJob]
    looked_at: int
    complete: bool


def running_in(workers: Iterable[WorkerInfo]) -> list[SlowJob]:
    """What runs longest, as workers told it."""
    at = host_now()
    return [
        SlowJob(job.job, job.queue, job.task, "active", worker.name, job.since, (at - job.since).total_seconds())
        for worker in workers
        if worker.load
        for job in worker.load.running
    ]  # fmt: skip


def told_by(workers: Sequence[WorkerInfo], finished: Sequence[SlowJob], limit: int) -> SlowJobs:
    """The slowest ``limit`` of each kind, where workers tell what has finished."""
    return SlowJobs(
        _longest(running_in(workers), limit), _longest(finished, limit), len(finished), complete=True
    )


async def kept_of(workers: Sequence[WorkerInfo], queues: Sequence[Queue], limit: int) -> SlowJobs:
    """The same by the records that are kept."""
    since = host_now() - LAST
    looks = [_ended(queue, state, since) for queue in queues[:QUEUES] for state in _ENDED]
    found = await asyncio.gather(*looks)
    complete = len(queues) <= QUEUES and all(each.complete for each in found)
    finished = [job for each in found for job in each.jobs]
    count = sum(each.looked_at for each in found)
    return SlowJobs(_longest(running_in(workers), limit), _longest(finished, limit), count, complete)


def _longest(jobs: Iterable[SlowJob], limit: int) -> list[SlowJob]:
    return heapq.nlargest(limit, jobs, key=attrgetter("seconds"))


async def _ended(queue: Queue, state: State, since: datetime) -> _Looked:
    """Those of one page that have ended since then; records are from the latest on."""
    page = await queue.jobs(state, limit=PAGE_LIMIT)
    recent = [job for job in page.items if job.finished_at is not None and job.finished_at >= since]
    complete = page.next is None or len(recent) < len(page.items)
    return _Looked([slow for job in recent if (slow := _slow(job))], len(page.items), complete)


def _slow(job: JobRecord) -> SlowJob | None:
    """One that has run; a job may end without that."""
    if job.started_at is None or job.finished_at is None:
        return None
    seconds = (job.finished_at - job.started_at).total_seconds()
    return SlowJob(job.id, job.queue, job.task, str(job.state), job.worker, job.started_at, seconds)
