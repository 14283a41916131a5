"""Whatever a request raises becomes a problem: those of routes as they are, those of the engine by a table."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final

from aiohttp import web
from yarl import URL

from streamq import (
    GroupFull,
    InvalidFilter,
    InvalidLimit,
    InvalidPayload,
    InvalidSchedule,
    JobNotFound,
    KeyInUse,
    NotDurable,
    NotThere,
    OperationConflict,
    OperationEnded,
    OperationNotFound,
    OutcomeUnknown,
    OutOfMemory,
    PartitionsChanging,
    PayloadTooLarge,
    QueueFull,
    QueueInUse,
    QueueMoved,
    QueueNotEmpty,
    Rejected,
    RequestReused,
    RequestRunning,
    ScheduleConflict,
    ScheduleNotFound,
    StreamqError,
    TaskNotFound,
    Unavailable,
    UnknownTask,
    UsageError,
    VersionConflict,
    WindowNotKept,
    WorkerNotFound,
    WorkerStopping,
    WrongState,
)

from .fields import Invalid, of_payload
from .marks import REQUEST_ID, added_to
from .narrowed import HOLDS_FOR
from .problems import (
    CLIENT_GONE,
    EXPECTATION_FAILED,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_HINT,
    VALIDATION,
    Hint,
    Problem,
    ProblemType,
    internal,
    nothing_at,
    response,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Guard = Callable[[web.Request], bytes]
"""Lets a request pass and says whose it is, or raises ``Problem``."""

STRANGERS: Final[web.AppKey[Guard]] = web.AppKey("strangers")
"""Who may be told that there is nothing at a path: the application's own choice."""

OF_ENGINE: Final[dict[type[StreamqError], ProblemType]] = {
    InvalidPayload: VALIDATION,
    InvalidSchedule: VALIDATION,
    InvalidFilter: ProblemType(422, InvalidFilter.code, "the filter cannot be read from `place` on"),
    UnknownTask: ProblemType(422, UnknownTask.code, "the task is none of `known_tasks`"),
    PayloadTooLarge: ProblemType(
        413, PayloadTooLarge.code, "the payload has `size_bytes`, more than `limit_bytes`"
    ),
    RequestReused: ProblemType(
        422, RequestReused.code, "the `Idempotency-Key` was used for another request in the last 24 hours"
    ),
    RequestRunning: ProblemType(
        409, RequestRunning.code, "the first request with this `Idempotency-Key` is still being answered"
    ),
    WindowNotKept: ProblemType(
        422,
        WindowNotKept.code,
        "statistics are not kept of that time, or not so finely; they are from `oldest` on",
    ),
    InvalidLimit: ProblemType(
        422, InvalidLimit.code, "the `part` of the limit, or the name of the group, cannot be"
    ),
    UsageError: ProblemType(422, UsageError.code, "what was asked for is not possible as it was asked for"),
    JobNotFound: ProblemType(404, JobNotFound.code, "there is no such job, or not any more"),
    OperationNotFound: ProblemType(
        404, OperationNotFound.code, "there is no such operation, or it ended more than a day ago"
    ),
    OperationConflict: ProblemType(
        409, OperationConflict.code, "the operation `other` is for the same jobs and still runs"
    ),
    OperationEnded: ProblemType(409, OperationEnded.code, "the operation has ended as `state` says"),
    KeyInUse: ProblemType(409, KeyInUse.code, "the job `other` has the job's unique `key` by now"),
    WrongState: ProblemType(
        409, WrongState.code, "the job is in `state`, which does not allow it; it does allow `allowed`"
    ),
    VersionConflict: ProblemType(
        412, VersionConflict.code, "the job was changed meanwhile, and has the `version` that is told"
    ),
    GroupFull: ProblemType(
        429, GroupFull.code, "as many jobs of the `group` wait as may: `waiting` of `bound`"
    ),
    QueueFull: ProblemType(
        429, QueueFull.code, "as many jobs wait in the queue as may: `waiting` of `bound`"
    ),
    PartitionsChanging: ProblemType(
        409,
        PartitionsChanging.code,
        "the partitions of the queue are on their way from `was` to `count`; they may go back to `former`",
    ),
    QueueInUse: ProblemType(409, QueueInUse.code, "the queue is served by `workers`"),
    QueueNotEmpty: ProblemType(
        409, QueueNotEmpty.code, "the queue has jobs, records or schedules: `counts` of them"
    ),
    ScheduleNotFound: ProblemType(404, ScheduleNotFound.code, "there is no schedule of that name"),
    TaskNotFound: ProblemType(404, TaskNotFound.code, "no worker has published a task of that name"),
    WorkerNotFound: ProblemType(404, WorkerNotFound.code, "no worker of that name is registered"),
    WorkerStopping: ProblemType(409, WorkerStopping.code, "the worker was asked to stop, and ends"),
    ScheduleConflict: ProblemType(
        409,
        ScheduleConflict.code,
        "what the schedule is now does not allow it: another version, or code declares it",
    ),
    NotDurable: ProblemType(
        503, NotDurable.code, "the job was taken, and is not yet as safe as the service asks for"
    ),
    OutcomeUnknown: ProblemType(
        503, OutcomeUnknown.code, "the queue server did not answer in time: it may be done"
    ),
    OutOfMemory: ProblemType(503, OutOfMemory.code, "the queue server is full"),
    QueueMoved: ProblemType(503, QueueMoved.code, "the queue moves to another server, or has moved"),
    Rejected: ProblemType(503, Rejected.code, "the queue server refuses the service"),
    Unavailable: ProblemType(503, Unavailable.code, "the queue server cannot be reached"),
}
"""The problem of each error of the engine; the first that fits counts, with the error's own code. All but these are
500. Those of 503 and 429, and of a request that is still being answered, say in ``Retry-After`` when to come back,
unless the jobs were taken."""

OUTAGES: Final = tuple(
    kind
    for of, kind in OF_ENGINE.items()
    if issubclass(of, Unavailable) and of not in (NotDurable, GroupFull, QueueFull)
)
"""What any route that asks the queue server may answer. Only what makes a job can be not durable, or one too many."""

log = logging.getLogger("streamq.api")
_next_number: Final = random.Random().getrandbits  # noqa: S311  # see below
"""Numbers of requests: unlike, and no secret, so they cost no call of the system each."""


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or a problem document for whatever it raises. Gives the request its number."""
    request[REQUEST_ID] = f"{_next_number(64):016x}"
    try:
        _check(request)
        return await handler(request)
    except Problem as problem:
        return _told(request, problem)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _told(request, _of_router(request, error))
    except StreamqError as error:
        return _told(request, of_engine(request, error))
    except Exception as error:
        return _told(request, _of_the_unexpected(request, error))


def _told(request: web.Request, problem: Problem) -> web.Response:
    problem.headers = {**added_to(request), **problem.headers}
    if HOLDS_FOR in request:
        problem.hint = problem.hint.untold()
    return response(problem, request[REQUEST_ID])


def _check(request: web.Request) -> None:
    """Refuse what cannot be an address or met, before the router or a handler sees it."""
    headers = request.headers
    if not (request.raw_path.isascii() and _is_an_authority(headers.get("Host", ""))):
        raise Problem(MALFORMED_REQUEST, "The path or the Host of this request is not one that can be.")
    if "Expect" in headers and headers["Expect"].lower() != "100-continue":
        raise Problem(EXPECTATION_FAILED, "Of the expectations, only 100-continue can be met.")


@lru_cache(64)  # nearly all requests are sent to one name
def _is_an_authority(host: str) -> bool:
    try:
        URL.build(scheme="http", authority=host)
    except ValueError:
        return False
    return True


def _of_router(request: web.Request, error: web.HTTPException) -> Problem:
    try:
        request.app[STRANGERS](request)
    except Problem as refusal:
        return refusal
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not possible here; {allowed} is."
        return Problem(METHOD_NOT_ALLOWED, detail, headers={"Allow": allowed})
    if error.status == 404:
        return nothing_at(request.path)
    return Problem(ProblemType(error.status, error.reason.lower().replace(" ", "-"), ""), error.reason)


def _of_the_unexpected(request: web.Request, error: Exception) -> Problem:
    if isinstance(error, web.RequestPayloadError):
        return Problem(MALFORMED_REQUEST, "The body does not come as its headers say.")
    if isinstance(error, ConnectionError) and request.transport is None:
        return Problem(CLIENT_GONE, "The client hung up.")
    log.error("request %s: %s %s failed", request[REQUEST_ID], request.method, request.path, exc_info=error)
    return internal()


def of_engine(request: web.Request, error: StreamqError) -> Problem:
    """The problem of an error of the engine. One that no caller can make is told in the log."""
    kind = next((kind for of, kind in OF_ENGINE.items() if isinstance(error, of)), None)
    if kind is None:
        log.error("request %s: unexpected: %s: %s", request[REQUEST_ID], error.code, error)
        return Problem(ProblemType(500, error.code, ""), internal().detail)
    if isinstance(error, InvalidPayload):
        return Invalid(of_payload(error), "payload")
    if isinstance(error, InvalidSchedule):
        return Invalid(of_payload(error))
    kind = kind._replace(code=error.code)
    if isinstance(error, QueueFull | RequestRunning):
        return Problem(kind, str(error), headers=come_back(error), **_members(error))
    if isinstance(error, Unavailable):
        log.info("request %s: %s: %s", request[REQUEST_ID], error.code, error)
        return Problem(kind, outage(error), headers=come_back(error))
    said = (error.said, Hint(f": {error.hint}")) if isinstance(error, NotThere) else (str(error), NO_HINT)
    return Problem(kind, said[0], hint=said[1], **_members(error))


_TOLD: Final[dict[type[StreamqError], dict[str, str]]] = {
    InvalidFilter: {"place": "place", "reason": "reason"},
    OperationConflict: {"other": "other"},
    OperationEnded: {"state": "state"},
    UnknownTask: {"known_tasks": "known"},
    PayloadTooLarge: {"size_bytes": "size", "limit_bytes": "limit"},
    KeyInUse: {"state": "state", "allowed": "allowed", "key": "key", "other": "other"},
    WrongState: {"state": "state", "allowed": "allowed"},
    VersionConflict: {"version": "version"},
    PartitionsChanging: {"was": "was", "count": "count", "former": "former"},
    QueueInUse: {"workers": "workers"},
    QueueNotEmpty: {"counts": "counts"},
    InvalidLimit: {"part": "part"},
    GroupFull: {"group": "group", "waiting": "waiting", "bound": "bound"},
    QueueFull: {"waiting": "waiting", "bound": "bound"},
    WindowNotKept: {"oldest": "oldest_text"},
}
"""What a problem tells beside its words: member and attribute. The first error that fits counts."""


def _members(error: StreamqError) -> dict[str, Any]:
    told = next((members for of, members in _TOLD.items() if isinstance(error, of)), {})
    return {member: getattr(error, attribute) for member, attribute in told.items()}


def come_back(error: StreamqError) -> dict[str, str]:
    """When to ask again, as a header; in a second where the error does not say. Jobs that were taken are not to be sent
    again: each time would add more."""
    if isinstance(error, NotDurable):
        return {}
    return {"Retry-After": str(math.ceil(getattr(error, "retry_after", 1.0)))}


def words_of(error: StreamqError) -> str:
    """What a caller is told of an error: of an outage its kind alone."""
    return outage(error) if isinstance(error, Unavailable) else str(error)


def outage(error: Unavailable) -> str:
    """The kind of an outage in words that name no host, port or setting: callers without a key read them too."""
    match error:
        case NotDurable():
            return (
                "The job is in the queue server's memory, and that server cannot make it as safe as was asked for, or "
                "has not yet: to ask again would add another job."
            )
        case OutcomeUnknown():
            return "The queue server did not answer in time: what was asked for may have been done, or not."
        case OutOfMemory():
            return "The queue server is full and takes no more jobs; try again later."
        case Rejected():
            return "The queue server refuses this service; the service's log says why."
    return "The queue server cannot be reached; try again later."
