"""What is answered of a job that was just sent: made from what is known, or from its record if its end was awaited."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from streamq import Job, JobFailed, JobNotFound, JobRecord, ResultNotKept, ResultTimeout, State, Unavailable

from ..clock import rfc3339_of_ms
from ..http.answers import Answer
from ..http.route import Asked
from ..http.waiting import HungUp, while_connected
from ..site import Site


def answer(site: Site, job: Job[Any], value: Any) -> Answer:
    """201, and where the job is."""
    return Answer(value, 201, {"Location": place(site, job)})


def document(
    job: Job[Any], payload: Any, attempts: int | None, delay: float | None, at: datetime | None
) -> dict[str, Any]:
    """The job as it lies in the queue, which is how ``GET`` tells it as long as nobody has taken it."""
    due = due_at(job, delay, at)
    return {
        **_blank(job.queue, job.task, attempts, State.DELAYED if due else State.WAITING),
        "id": job.id,
        "payload": payload,
        "created_at": rfc3339_of_ms(_born(job)),
        "due_at": due,
        "disposition": job.disposition,
    }


def due_at(job: Job[Any], delay: float | None, at: datetime | None) -> str | None:
    """When it is due, as JSON has it; None for at once. A delay counts from the job's birth.

    In the milliseconds of the engine, which cuts a time and rounds a delay.
    """
    if at is not None:
        return rfc3339_of_ms(int(at.timestamp() * 1000))
    wait = round(delay * 1000) if delay else 0
    return rfc3339_of_ms(_born(job) + wait) if wait else None


def _born(job: Job[Any]) -> int:
    """In milliseconds by the queue server's clock, with which every id begins."""
    return int(job.id.partition("-")[0])


def place(site: Site, job: Job[Any]) -> str:
    """The path at which the job is looked at."""
    return f"{site.settings.base_path}/api/v1/queues/{job.queue}/jobs/{job.id}"


async def as_it_lies(site: Site, job: Job[Any]) -> Answer:
    """The job as it is looked up: 201 when it was made, 200 when its unique key has led to another."""
    value = {**await _looked_at(job), "disposition": job.disposition}
    return Answer(value, 201 if job.disposition == "created" else 200, {"Location": place(site, job)})


async def ended(site: Site, asked: Asked[Any, Any], job: Job[Any]) -> Answer:
    """The job when it has ended, 200; or as it is when the time that the caller waits is over, 202."""
    status = 200
    try:
        await while_connected(asked.request, job.result(timeout=asked.wait))
    except (JobFailed, ResultNotKept):
        pass  # its record says how it ended
    except (ResultTimeout, JobNotFound, Unavailable, HungUp):
        status = 202
    headers = {"Location": place(site, job), "Preference-Applied": f"wait={asked.wait}"}
    return Answer({**await _looked_at(job), "disposition": job.disposition}, status, headers)


async def _looked_at(job: Job[Any]) -> dict[str, Any]:
    """The job; its names alone when it cannot be read: it exists, so the answer must not be an error."""
    try:
        return (await job.status()).asdict()
    except (JobNotFound, Unavailable):
        return {"id": job.id, "queue": job.queue, "task": job.task}


@lru_cache(256)  # of a task: its records differ in a few members
def _blank(queue: str, task: str, attempts: int | None, state: State) -> dict[str, Any]:
    return JobRecord("", queue, task, state, None, 0, attempts).asdict()
