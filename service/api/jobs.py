"""Jobs: create, look at, list. What is done to one of them is in ``changes``."""

from __future__ import annotations

from functools import partial
from hashlib import blake2b
from typing import Annotated, Any, Final, NotRequired, cast

import orjson
from orjson import Fragment
from pydantic import Field, ValidationInfo, create_model, field_validator
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import (
    OPTIONS,
    RESERVED,
    App,
    GroupFull,
    InvalidFilter,
    InvalidPayload,
    JobNotFound,
    JobRecord,
    JSONText,
    NotDurable,
    Page,
    PayloadTooLarge,
    Queue,
    QueueFull,
    RequestReused,
    RequestRunning,
    State,
    Task,
    UnknownTask,
    UsageError,
)

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.fields import Invalid, of_payload
from ..http.inputs import WHOLE, KnownGroup, Request, of_option, one_time, reserved
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..json_text import encoded, told
from ..site import Site
from .idempotency import Enqueue, answered_once
from .queues import PATH, QUEUE_NOT_FOUND, known_queue, queue_named
from .sent import answer, as_it_lies, document, ended
from .told_job import sees_tracebacks, told_job

JOBS: Final = PATH + "/{queue}/jobs"
JOB: Final = JOBS + "/{id}"
BAD_CURSOR: Final = ProblemType(400, "bad-cursor", "the cursor is none, or belongs to another filter")


# -- what requests carry -----------------------------------------------------------------------------------------


LONGEST_NAME: Final = 200
"""Characters of the name of a task."""
_WITHOUT_OPTIONS: Final = {"task", "payload"}
DECIDED: Final = frozenset({"priority", "key", "unique", "group", "expires"})
"""Options of which the answer tells what was made of them: the job is looked up for it."""


class JobBody(Request):
    """A job of any task, with the options of ``enqueue``. Durations are in seconds, or text such as ``5m``.

    What is left out is the task's.
    """

    task: str = Field(min_length=1, max_length=LONGEST_NAME)
    payload: Any = None

    @field_validator("at", check_fields=False)
    @classmethod
    def _one_time(cls, at: Any, info: ValidationInfo) -> Any:
        return one_time(at, info, "at")

    def options(self) -> dict[str, Any]:
        """The options that were given, as ``enqueue`` takes them."""
        if self.model_fields_set <= _WITHOUT_OPTIONS:  # as most are
            return {}
        return {
            name: given
            for name in self.model_fields_set & OPTIONS.keys()
            if (given := getattr(self, name)) is not None
        }


_FIELDS: Final[dict[str, Any]] = {
    **{name: (of_option(option), None) for name, option in OPTIONS.items()},
    **{name: (reserved(neutral), neutral) for name, neutral in RESERVED.items()},
}
JobRequest = cast(
    "type[JobBody]", create_model("JobRequest", __base__=JobBody, __doc__=JobBody.__doc__, **_FIELDS)
)
"""The body of a job, with a field for each option of ``enqueue``, those to come included."""


class JobsQuery(Request):
    """Which jobs of a queue to list; without ``state`` all, one state after the other.

    ``task`` names their task, ``group`` their group, and ``q`` is a filter such as `state:failed error:"timed out"
    age>1h`. A page of these may have fewer jobs than ``limit``, or none, and go on all the same.
    """

    state: Annotated[State | None, Field(strict=False)] = None
    task: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    group: KnownGroup = None
    q: Annotated[str | None, Field(max_length=2_000)] = None
    limit: Annotated[int, Field(ge=1, le=200), WHOLE] = 50
    cursor: str | None = Field(default=None, max_length=4_000)


# -- what is answered --------------------------------------------------------------------------------------------


class ProgressDocument(TypedDict):
    """How far a job is: ``value`` from 0 to 1, a ``note``, and any ``data``, as its handler said last."""

    value: float | None
    note: str
    data: Any
    at: str | None
    attempt: int


class JobDocument(TypedDict):
    """A job. Times are RFC 3339 in UTC, by the queue server's clock."""

    id: str
    queue: str
    task: str
    state: str
    payload: Any
    priority: str
    group: str | None
    key: str | None
    version: int
    attempt: int
    attempts: int | None
    crashes: int
    created_at: str | None
    due_at: str | None
    expires_at: str | None
    started_at: str | None
    finished_at: str | None
    progress: ProgressDocument | None
    result: Any
    error: dict[str, Any] | None
    history: list[dict[str, Any]]
    worker: str | None
    schedule: str | None
    planned_at: str | None
    clone_of: str | None
    cloned_as: str | None
    payload_version: NotRequired[int]
    result_kept: NotRequired[bool]


class SentDocument(JobDocument):
    """A job that was sent, or that stood in its place already.

    ``disposition`` tells which: ``created``, or with a unique key ``existing``, ``replaced`` or ``following``.
    """

    disposition: str


class Following(TypedDict):
    """Where the list goes on: the ``cursor`` of the next page, or null at its end.

    ``looked`` says how many jobs were looked at for the page, where it was asked for by ``q`` or ``task``.
    """

    next: str | None
    looked: NotRequired[int]


class JobsPage(TypedDict):
    """Some of the jobs of a queue."""

    data: list[JobDocument]
    page: Following


# -- handlers ----------------------------------------------------------------------------------------------------


async def create(site: Site, asked: Asked[None, JobBody]) -> Answer:
    """The answer tells what was sent, as it lies in the queue: nobody looks it up."""
    engine, body, queue = site.engine, asked.body, asked.request.match_info["queue"]
    await check_task(engine, queue, body.task)
    if asked.key is not None:
        return await answered_once(site, asked, queue, _wanted(body), partial(_create, site, asked))
    return await _create(site, asked, partial(engine.enqueue, queue))


def _wanted(body: JobBody) -> bytes:
    """What the body asks for, as text that is the same for the same."""
    given = body.model_dump(mode="json", exclude={"payload"}, exclude_unset=True)
    return orjson.dumps({"payload": Fragment(encoded(body.payload)), **given}, option=orjson.OPT_SORT_KEYS)


async def _create(site: Site, asked: Asked[None, JobBody], enqueue: Enqueue) -> Answer:
    body, task = asked.body, site.engine.tasks.get(asked.body.task)
    payload, options = encoded(body.payload), body.options()
    text = JSONText(payload)
    try:
        if task is not None:
            payload = task.encode(text)
        job = await enqueue(body.task, text, **options)
    except InvalidPayload as error:
        raise Invalid(of_payload(error, "/payload")) from None
    if asked.wait:
        return await ended(site, asked, job)
    may_differ = not site.engine.queue(job.queue).is_known_plain
    if (
        may_differ
        or job.disposition != "created"
        or not options.keys().isdisjoint(DECIDED)
        or (task and (task.unique or task.group))
    ):
        return await as_it_lies(site, job)
    attempts = options.get("attempts") or (task.attempts if task is not None else None)
    due = options.get("delay"), options.get("at")
    said = document(job, _shown(task, payload), attempts, *due)
    version = options.get("payload_version", 1) if task is None else task.version
    if version != 1:
        said["payload_version"] = version
    return answer(site, job, said)


def _shown(task: Task[Any, Any] | None, payload: bytes) -> Any:
    """A payload as a look at its job shows it."""
    return Fragment(payload) if task is None or not task.hides else task.shown(payload)


async def check_task(engine: App, queue: str, name: str) -> None:
    """Raise ``Problem`` for a queue that nobody knows, and ``UnknownTask`` where others are declared for it."""
    task = engine.tasks.get(name)
    if task is not None and task.queue == queue:
        return
    await queue_named(engine, queue)
    tasks = [each for each, task in engine.tasks.items() if task.queue == queue]
    if tasks and name not in tasks:
        raise UnknownTask(name, tasks)


async def show(site: Site, asked: Asked[None, None]) -> Answer:
    """Everything known of it."""
    queue = await known_queue(site.engine, asked.request)
    traced = sees_tracebacks(site, asked.request)
    return versioned(await queue.get(asked.request.match_info["id"]), traced=traced)


def versioned(job: JobRecord, status: int = 200, *, traced: bool = True) -> Answer:
    """A job, with what ``If-Match`` has to say to change it as it is: its version, which a change of state leaves.

    A digest follows, so that ``If-None-Match`` tells whether anything has changed.
    """
    text = told(told_job(job, traced=traced))
    digest = blake2b(text, digest_size=8).hexdigest()
    return Answer(Fragment(text), status, {"ETag": f'"{job.version}-{digest}"'})


async def index(site: Site, asked: Asked[JobsQuery, None]) -> dict[str, Any]:
    """A page may end in the middle of a state, and hold the end of one and the begin of the next."""
    query = asked.query
    queue = await known_queue(site.engine, asked.request)
    if query.q is not None or query.task is not None or query.group is not None:
        return await _found(queue, query, traced=sees_tracebacks(site, asked.request))
    states = [query.state] if query.state else list(State)
    state, _, cursor = (query.cursor or f"{states[0]}.").partition(".")
    if state not in states:
        raise Problem(BAD_CURSOR, "This cursor belongs to another filter: drop it, or send its state.")
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
    traced = sees_tracebacks(site, asked.request)
    return {"data": [told_job(r, traced=traced) for r in records], "page": {"next": following}}


async def _found(queue: Queue, query: JobsQuery, *, traced: bool) -> dict[str, Any]:
    """The jobs that a filter means."""
    try:
        page = await queue.search(
            _filter(query), state=query.state, task=query.task, limit=query.limit, cursor=query.cursor
        )
    except InvalidFilter:
        raise
    except UsageError as error:
        raise Problem(BAD_CURSOR, str(error)) from None
    following = {"next": page.next, "looked": page.looked}
    return {"data": [told_job(job, traced=traced) for job in page.items], "page": following}


def _filter(query: JobsQuery) -> str:
    """Its filter, of jobs of its group alone; a name of a group has no quotation marks."""
    if query.group is None:
        return query.q or ""
    return f'group:"{query.group}"' + (f" ({query.q})" if query.q and query.q.strip() else "")


async def _page(queue: Queue, state: State, limit: int, cursor: str) -> Page:
    try:
        return await queue.jobs(state, limit=limit, cursor=cursor or None)
    except UsageError as error:
        raise Problem(BAD_CURSOR, str(error)) from None


# -- routes ------------------------------------------------------------------------------------------------------

JOB_NOT_FOUND: Final = OF_ENGINE[JobNotFound]
REFUSALS: Final = (
    OF_ENGINE[PayloadTooLarge], OF_ENGINE[UsageError], OF_ENGINE[GroupFull],
    OF_ENGINE[QueueFull], OF_ENGINE[NotDurable], *OUTAGES,
)  # fmt: skip
"""Of any route that makes a job."""
UNCHANGED: Final = Success(304, "It is as it was")
"""Of a route that tells a tag, to a caller who has it."""
ONCE: Final = (OF_ENGINE[RequestReused], OF_ENGINE[RequestRunning])
"""Of a route that takes an ``Idempotency-Key``."""
WAITED: Final = (
    Success(200, "With `Prefer: wait=N`: the finished job", SentDocument, ("Location", "Preference-Applied")),
    Success(
        202, "With `Prefer: wait=N`: it has not ended yet", SentDocument, ("Location", "Preference-Applied")
    ),
)

ROUTES: Final = (
    Route(
        method="POST", path=JOBS, handler=create, scope=Scope.WRITE, body=JobRequest, makes_a_job=True,
        is_idempotent=True,
        summary="make a job; 201 with the job and its `Location`, 200 where its unique key has led to another",
        answers=(
            Success(201, "The job", SentDocument, ("Location",)),
            Success(200, f"The job that has its unique key. {WAITED[0].meaning}", *WAITED[0][2:]), WAITED[1],
        ),
        problems=(QUEUE_NOT_FOUND, OF_ENGINE[UnknownTask], *ONCE, *REFUSALS),
    ),
    Route(
        method="GET", path=JOBS, handler=index, scope=Scope.READ, query=JobsQuery,
        summary="a page of jobs: in one state, in one after the other, or those that a filter means",
        answers=(Success(200, "A page of jobs", JobsPage),),
        problems=(BAD_CURSOR, QUEUE_NOT_FOUND, OF_ENGINE[InvalidFilter], *OUTAGES),
    ),
    Route(
        method="GET", path=JOB, handler=show, scope=Scope.READ,
        summary="everything known of a job",
        answers=(Success(200, "The job", JobDocument, ("ETag",)), UNCHANGED),
        problems=(QUEUE_NOT_FOUND, JOB_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
"""The first is asked the most, and the router looks at them in this order."""
