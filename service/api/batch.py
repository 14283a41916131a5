"""Many jobs in one request, each with an outcome of its own.

Neighbours of one task and with the same options go to the engine together. Where something is to be decided of each (a
unique key, a group, a bound of the queue) they go one by one, side by side, as one of them may be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple, NotRequired

from pydantic import Field, SkipValidation, ValidationError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import (
    App,
    InvalidPayload,
    Job,
    JSONText,
    PayloadTooLarge,
    StreamqError,
    Unavailable,
    UnknownTask,
    UsageError,
)

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OUTAGES, of_engine
from ..http.fields import FieldError, Invalid, of_model, of_payload
from ..http.inputs import Request
from ..http.marks import REQUEST_ID
from ..http.problems import Problem, members
from ..http.route import Asked, Route, Success
from ..json_text import encoded
from ..site import Site
from .idempotency import answered_once
from .jobs import DECIDED, JOBS, LONGEST_NAME, ONCE, JobRequest, check_task
from .queues import QUEUE_NOT_FOUND

MOST: Final = 1_000
"""Jobs in a request."""
_BEFORE: Final = (InvalidPayload, PayloadTooLarge, UsageError)
"""What the engine finds before it sends any of several jobs."""


class BatchRequest(Request):
    """Jobs, each as `POST …/jobs` takes it. They are sent in their order; those that are wrong keep out no others.

    An `Idempotency-Key` holds for all of them together. Where the service is killed while it answers, some may be there
    already, and the same request makes them once more: give each a `key` where that must not be.
    """

    jobs: Annotated[list[SkipValidation[JobRequest]], Field(min_length=1, max_length=MOST)]  # type: ignore[valid-type]


class Outcome(TypedDict):
    """What became of the job at `index`: `status` and `disposition` are those of `POST …/jobs`, as is the `problem`."""

    index: int
    status: int
    id: NotRequired[str]
    disposition: NotRequired[str]
    problem: NotRequired[dict[str, Any]]


class BatchDocument(TypedDict):
    """How many jobs were `created`, how many were `existing` by their unique key, how many `failed`; and each outcome,
    in the order of the request."""

    created: int
    existing: int
    failed: int
    items: list[Outcome]


Sent = Job[Any] | Problem | StreamqError


class _Run(NamedTuple):
    """Neighbours of the request that are well-formed, of one task and with the same options."""

    task: str
    options: dict[str, Any]
    places: list[int]
    """Their places in the request."""
    payloads: list[Any]


_PLAIN: Final = ("task", "payload")
_NONE: Final[dict[str, Any]] = {}


async def create(site: Site, asked: Asked[None, BatchRequest]) -> Answer:
    """200 where all went well, 207 where some did not."""
    queue = asked.request.match_info["queue"]
    if asked.key is None:
        return await _create(site, asked)
    body = encoded(asked.body.jobs)
    return await answered_once(site, asked, queue, body, lambda _: _create(site, asked))


async def _create(site: Site, asked: Asked[None, BatchRequest]) -> Answer:
    found: dict[int, Sent] = {}
    runs = _read(asked, found)
    runs = await _of_known_tasks(site.engine, asked, runs, found)
    await _sent(site.engine, asked.request.match_info["queue"], runs, found)
    errors = [each for each in found.values() if isinstance(each, Unavailable)]
    if len(errors) == len(found):
        raise errors[0]  # an outage, of which nothing is to be told for each
    outcomes = [_outcome(asked, index, found[index]) for index in range(len(found))]
    failed = sum("problem" in each for each in outcomes)
    created = sum(each["status"] == 201 for each in outcomes)
    counts = {"created": created, "existing": len(outcomes) - created - failed, "failed": failed}
    return Answer({**counts, "items": outcomes}, 207 if failed else 200)


def _read(asked: Asked[None, BatchRequest], found: dict[int, Sent]) -> list[_Run]:
    """The jobs that are well-formed; what is wrong with the others goes into ``found``."""
    jobs: list[Any] = asked.body.jobs
    runs, places, payloads = list[_Run](), list[int](), list[Any]()
    task, options = "", _NONE  # of the last run; no task has this name
    for index, job in enumerate(jobs):
        if type(job) is dict and len(job) == len(_PLAIN) and "payload" in job and _is_name(job.get("task")):
            name, payload, given = job["task"], job["payload"], _NONE  # as most are: nothing to be checked
        else:
            try:
                body = JobRequest.__pydantic_validator__.validate_python(job)
            except ValidationError as error:
                errors, count = of_model(error, JobRequest)
                found[index] = Invalid([_below(index, each) for each in errors], "job", count)
                continue
            name, payload, given = body.task, body.payload, body.options()
        if name != task or given != options:
            task, options, places, payloads = name, given, [], []
            runs.append(_Run(name, given, places, payloads))
        places.append(index)
        payloads.append(payload)
    return runs


def _is_name(task: Any) -> bool:
    return type(task) is str and 0 < len(task) <= LONGEST_NAME


def _below(index: int, error: FieldError) -> FieldError:
    return {**error, "pointer": f"/jobs/{index}{error['pointer']}"}


async def _of_known_tasks(
    app: App, asked: Asked[None, BatchRequest], runs: Sequence[_Run], found: dict[int, Sent]
) -> list[_Run]:
    """The runs of tasks of this queue; the others go into ``found``. Raises ``Problem`` for an unknown queue."""
    queue, wrong = asked.request.match_info["queue"], dict[str, UnknownTask]()
    for name in {run.task for run in runs}:
        try:
            await check_task(app, queue, name)
        except UnknownTask as error:
            wrong[name] = error
    for run in runs:
        if run.task in wrong:
            found |= dict.fromkeys(run.places, wrong[run.task])
    return [run for run in runs if run.task not in wrong]


async def _sent(app: App, queue: str, runs: Sequence[_Run], found: dict[int, Sent]) -> None:
    plain = app.queue(queue).is_known_plain
    sent = await asyncio.gather(*(_send(app, queue, run, together=plain) for run in runs))
    for run, jobs in zip(runs, sent, strict=True):
        found |= zip(run.places, jobs, strict=True)


async def _send(app: App, queue: str, run: _Run, *, together: bool) -> Sequence[Sent]:
    """What became of each."""
    task = app.tasks.get(run.task)
    decided = not run.options.keys().isdisjoint(DECIDED) or (
        task is not None and bool(task.unique or task.group)
    )
    if together and not decided and len(run.payloads) > 1:
        try:
            return await app.enqueue_many(queue, run.task, JSONText(encoded(run.payloads)), **run.options)
        except _BEFORE:
            pass  # none was sent: one by one, each gets what is its own
        except StreamqError as error:
            return [error] * len(run.payloads)
    pairs = zip(run.places, run.payloads, strict=True)
    return await asyncio.gather(*(_send_one(app, queue, run, at, payload) for at, payload in pairs))


async def _send_one(app: App, queue: str, run: _Run, at: int, payload: Any) -> Sent:
    try:
        return await app.enqueue(queue, run.task, JSONText(encoded(payload)), **run.options)
    except InvalidPayload as error:
        return Invalid(of_payload(error, f"/jobs/{at}/payload"), "job")
    except StreamqError as error:
        return error


def _outcome(asked: Asked[Any, Any], index: int, sent: Sent) -> Outcome:
    if isinstance(sent, Job):
        status = 201 if sent.disposition == "created" else 200
        return {"index": index, "status": status, "id": sent.id, "disposition": sent.disposition}
    problem = sent if isinstance(sent, Problem) else of_engine(asked.request, sent)
    told = members(problem, asked.request[REQUEST_ID])
    return {"index": index, "status": problem.kind.status, "problem": told}


ROUTES: Final = (
    Route(
        method="POST", path=JOBS + "/batch", handler=create, scope=Scope.WRITE, body=BatchRequest, is_idempotent=True,
        bodies=16,
        summary=f"make up to {MOST:,} jobs; each has an outcome of its own, and 207 says that some could not be made",
        answers=(
            Success(200, "All jobs are there", BatchDocument),
            Success(207, "Some of the jobs could not be made", BatchDocument),
        ),
        problems=(QUEUE_NOT_FOUND, *ONCE, *OUTAGES),
    ),
)  # fmt: skip
