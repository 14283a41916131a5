"""Many jobs in one request, each with an outcome of its own.

Neighbours of one task and with the same options go to the engine together. Where something is to be decided of each (a
unique key, a group, a bound of the queue) they go one by one, side by side, as one of them may be refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
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


class _Item(NamedTuple):
    """A job of the request that is well-formed."""

    at: int
    """Its place in the request."""
    task: str
    payload: JSONText
    options: dict[str, Any]


_kind: Final = itemgetter(1, 3)
"""Items of one kind can be sent together: those of one task, with the same options."""
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
    items = [*_read(asked, found)]
    found |= await _unknown(site.engine, asked, items)
    items = [item for item in items if item.at not in found]
    found |= await _sent(site.engine, asked.request.match_info["queue"], items)
    errors = [each for each in found.values() if isinstance(each, Unavailable)]
    if len(errors) == len(found):
        raise errors[0]  # an outage, of which nothing is to be told for each
    outcomes = [_outcome(asked, index, found[index]) for index in range(len(found))]
    failed = sum("problem" in each for each in outcomes)
    created = sum(each["status"] == 201 for each in outcomes)
    counts = {"created": created, "existing": len(outcomes) - created - failed, "failed": failed}
    return Answer({**counts, "items": outcomes}, 207 if failed else 200)


def _read(asked: Asked[None, BatchRequest], found: dict[int, Sent]) -> Iterator[_Item]:
    """The jobs that are well-formed; what is wrong with the others goes into ``found``."""
    jobs: list[Any] = asked.body.jobs
    for index, job in enumerate(jobs):
        if type(job) is dict and len(job) == len(_PLAIN) and "payload" in job and _is_name(job.get("task")):
            # as most are: nothing to be checked
            yield _Item(index, job["task"], JSONText(encoded(job["payload"])), _NONE)
            continue
        try:
            body = JobRequest.__pydantic_validator__.validate_python(job)
            yield _Item(index, body.task, JSONText(encoded(body.payload)), body.options())
        except ValidationError as error:
            errors, count = of_model(error, JobRequest)
            found[index] = Invalid([_below(index, each) for each in errors], "job", count)


def _is_name(task: Any) -> bool:
    return type(task) is str and 0 < len(task) <= LONGEST_NAME


def _below(index: int, error: FieldError) -> FieldError:
    return {**error, "pointer": f"/jobs/{index}{error['pointer']}"}


async def _unknown(app: App, asked: Asked[None, BatchRequest], items: Sequence[_Item]) -> dict[int, Sent]:
    """The jobs of tasks that are none of this queue. Raises ``Problem`` for a queue that nobody knows."""
    queue, wrong = asked.request.match_info["queue"], dict[str, UnknownTask]()
    for name in {item.task for item in items}:
        task = app.tasks.get(name)
        if task is None or task.queue != queue:
            try:
                await check_task(app, asked, name)
            except UnknownTask as error:
                wrong[name] = error
    return {item.at: wrong[item.task] for item in items if item.task in wrong}


async def _sent(app: App, queue: str, items: Iterable[_Item]) -> dict[int, Sent]:
    runs = [list(run) for _, run in groupby(items, key=_kind)]
    plain = app.queue(queue).is_known_plain
    sent = await asyncio.gather(*(_send(app, queue, run, together=plain) for run in runs))
    return {index: each for part in sent for index, each in part.items()}


async def _send(app: App, queue: str, run: Sequence[_Item], *, together: bool) -> dict[int, Sent]:
    """Jobs of one task and with the same options."""
    task, options = app.tasks.get(run[0].task), run[0].options
    decided = not options.keys().isdisjoint(DECIDED) or (task is not None and bool(task.unique or task.group))
    if together and not decided and len(run) > 1:
        try:
            jobs = await app.enqueue_many(queue, run[0].task, [item.payload for item in run], **options)
            return {item.at: job for item, job in zip(run, jobs, strict=True)}
        except _BEFORE:
            pass  # none was sent: one by one, each gets what is its own
        except StreamqError as error:
            return dict.fromkeys((item.at for item in run), error)
    sent = await asyncio.gather(*map(partial(_send_one, app, queue), run))
    return {item.at: each for item, each in zip(run, sent, strict=True)}


async def _send_one(app: App, queue: str, item: _Item) -> Sent:
    try:
        return await app.enqueue(queue, item.task, item.payload, **item.options)
    except InvalidPayload as error:
        return Invalid(of_payload(error, f"/jobs/{item.at}/payload"), "job")
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
