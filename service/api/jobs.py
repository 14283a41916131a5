"""Jobs: create, look at, list, retry."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from streamq import (
    InvalidPayload,
    Job,
    JobFailed,
    JobNotFound,
    JobRecord,
    JSONText,
    Page,
    Queue,
    ResultTimeout,
    State,
    Unavailable,
    UnknownTask,
    UsageError,
)

from ..answers import encoded, json
from ..keys import ENGINE, SETTINGS
from ..problems import Invalid, Problem
from ..requests import read_model, read_query, refuse_idempotency_key, wait_seconds
from ..schemas import JobRequest, JobsQuery
from ..waiting import HungUp, while_connected
from .queues import known_queue, tasks_by_queue


async def create(request: web.Request) -> web.Response:
    """POST /api/v1/queues/{queue}/jobs"""
    wait = wait_seconds(request)
    refuse_idempotency_key(request)
    body = await read_model(request, JobRequest)
    engine, queue = request.app[ENGINE], (await known_queue(request)).name
    tasks = tasks_by_queue(engine).get(queue, [])
    if tasks and body.task not in tasks:
        raise UnknownTask(body.task, tasks)
    try:
        job = await engine.enqueue(
            queue,
            body.task,
            JSONText(encoded(body.payload)),
            delay=body.delay,
            at=body.at,
            attempts=body.attempts,
            timeout=body.timeout,
        )
    except InvalidPayload as error:
        raise Invalid(
            [{"pointer": f"/payload{e.pointer}", "code": e.code, "message": e.message} for e in error.errors]
        ) from None
    if wait:
        return await finished(request, job, wait)
    return json(await _looked_at(job), status=201, headers={"Location": location(request, job)})


async def show(request: web.Request) -> web.Response:
    """GET /api/v1/queues/{queue}/jobs/{id}"""
    queue = await known_queue(request)
    return json((await queue.get(request.match_info["id"])).asdict())


async def retry(request: web.Request) -> web.Response:
    """POST /api/v1/queues/{queue}/jobs/{id}/retry"""
    queue = await known_queue(request)
    return json((await queue.retry(request.match_info["id"])).asdict())


async def index(request: web.Request) -> web.Response:
    """GET /api/v1/queues/{queue}/jobs?state=&limit=&cursor="""
    query = read_query(request, JobsQuery)
    queue = await known_queue(request)
    states = [query.state] if query.state else list(State)
    state, _, cursor = (query.cursor or f"{states[0]}.").partition(".")
    if state not in states:
        raise Problem(400, "bad-cursor", "This cursor belongs to another filter: drop it, or send its state.")
    records: list[JobRecord] = []
    following: str | None = None
    for current in states[states.index(State(state)) :]:
        if len(records) == query.limit:
            following = f"{current}."
            break
        page = await _page(queue, current, query.limit - len(records), cursor)
        records += page.items
        cursor = ""
        if page.next:
            following = f"{current}.{page.next}"
            break
    return json({"data": [r.asdict() for r in records], "page": {"next": following}})


async def _looked_at(job: Job[Any]) -> dict[str, Any]:
    """The job; its names alone when it cannot be read: it exists, so the answer must not be an error."""
    try:
        return (await job.status()).asdict()
    except (JobNotFound, Unavailable):
        return {"id": job.id, "queue": job.queue, "task": job.task}


async def _page(queue: Queue, state: State, limit: int, cursor: str) -> Page:
    try:
        return await queue.jobs(state, limit=limit, cursor=cursor or None)
    except UsageError as error:
        raise Problem(400, "bad-cursor", str(error)) from None


async def finished(request: web.Request, job: Job[Any], wait: int) -> web.Response:
    """The job when it has ended, 200; or as it is after ``wait`` seconds, 202."""
    status = 200
    try:
        await while_connected(request, job.result(timeout=wait))
    except JobFailed:
        pass  # its record says how it ended
    except (ResultTimeout, JobNotFound, Unavailable, HungUp):
        status = 202
    headers = {"Location": location(request, job), "Preference-Applied": f"wait={wait}"}
    return json(await _looked_at(job), status=status, headers=headers)


def location(request: web.Request, job: Job[Any]) -> str:
    """Where the job is looked at."""
    return f"{request.app[SETTINGS].base_path}/api/v1/queues/{job.queue}/jobs/{job.id}"
