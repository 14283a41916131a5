"""Background operations: what is done to many jobs in small steps; anybody may see how far that is, or end it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import (
    InvalidFilter,
    Operation,
    OperationConflict,
    OperationEnded,
    OperationNotFound,
    Queue,
    UsageError,
)

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.fields import Invalid, field_error
from ..http.inputs import INTEGER, Request
from ..http.narrowed import items_by
from ..http.route import Asked, Route, Success
from ..site import Site
from .changes import Line
from .confirmations import confirmation, take
from .jobs import JOBS
from .queues import PATH, QUEUE_NOT_FOUND, known_queue

OPERATIONS: Final = "/api/v1/operations"
_ONE: Final = OPERATIONS + "/{operation}"


# -- what requests carry -----------------------------------------------------------------------------------------


class Confirmed(Request):
    """``confirm`` is the name of the queue once more: what is deleted is gone."""

    confirm: str
    by: Line = ""


class PurgeRequest(Confirmed):
    """``states`` are those of the jobs that are deleted; by default all but those that run."""

    states: Annotated[
        list[Literal["held", "delayed", "waiting", "completed", "failed", "cancelled", "expired"]] | None,
        Field(min_length=1),
    ] = None


class DrainRequest(Confirmed):
    """With ``delayed``, delayed and held jobs are deleted beside those that wait."""

    delayed: bool = False


class BulkRequest(Request):
    """What is done to all jobs that the filter ``q`` means.

    ``retry`` is for the failed ones, ``cancel`` for those that have not begun, ``promote`` for the delayed ones, and
    ``delete`` for those that have ended, unless the filter names other states. ``rate`` is jobs a second, or text such
    as `"50/s"`. With ``canary``, a retry waits for the ends of so many first, and stops if one of them fails again.
    ``dry_run`` counts them and changes nothing; with the token that it answers as ``confirm``, the same request is held
    to what was counted for: the same filter and action.
    """

    action: Literal["retry", "cancel", "promote", "delete"]
    q: Annotated[str, Field(min_length=1, max_length=2_000)]
    reason: Line = ""
    by: Line = ""
    rate: float | str | None = None
    canary: Annotated[int | None, Field(ge=1, le=100), INTEGER] = None
    dry_run: bool = False
    confirm: Annotated[str | None, Field(min_length=1, max_length=100)] = None


# -- what is answered --------------------------------------------------------------------------------------------


class OperationDocument(TypedDict):
    """A background operation: ``done`` jobs are deleted, or otherwise changed, of the ``total`` when it began.

    One by a filter says also how many it has ``looked`` at, and has ``skipped`` as they could not be changed any more.
    """

    id: str
    queue: str
    kind: str
    states: list[str]
    state: str
    done: int
    total: int
    by: str
    created_at: str | None
    updated_at: str | None
    ended_at: str | None
    filter: str
    looked: int
    skipped: int
    rate: float | None
    canary: int | None
    reason: str


class DryRun(TypedDict):
    """How many jobs an operation would be for: ``count`` at least, and just so many where it is ``exact``, after so
    many were ``looked`` at. ``confirm`` is a token for the same request, good for ten minutes."""

    action: str
    q: str
    count: int
    looked: int
    exact: bool
    confirm: str


class OperationList(TypedDict):
    """The operations of all queues, the latest first."""

    data: list[OperationDocument]


# -- handlers ----------------------------------------------------------------------------------------------------


async def purge(site: Site, asked: Asked[None, PurgeRequest]) -> Answer:
    """The operation as it begins."""
    queue = await _confirmed(site, asked)
    states = asked.body.states
    begun = await (queue.purge(by=asked.body.by) if states is None else queue.purge(states, by=asked.body.by))
    return _begun(site, (await begun.status()).asdict())


async def drain(site: Site, asked: Asked[None, DrainRequest]) -> Answer:
    """The operation as it begins."""
    queue = await _confirmed(site, asked)
    begun = await queue.drain(delayed=asked.body.delayed, by=asked.body.by)
    return _begun(site, (await begun.status()).asdict())


async def bulk(site: Site, asked: Asked[None, BulkRequest]) -> Answer:
    """The operation as it begins, or how many jobs it would be for."""
    queue, body = await known_queue(site.engine, asked.request), asked.body
    for name, given, of in (("canary", body.canary, "retry"), ("reason", body.reason or None, "cancel")):
        if given is not None and body.action != of:
            raise Invalid(
                [field_error(f"/{name}", "not-possible", f"is for the action {of} alone", "leave it out")]
            )
    confirmed = {"queue": queue.name, "action": body.action, "q": body.q}
    if body.dry_run:
        found = await queue.count_all(body.action, body.q)
        told = {"action": body.action, "q": body.q, **found.asdict()}
        return Answer({**told, "confirm": await confirmation(site.engine, confirmed)}, 200)
    if body.confirm is not None:
        await take(site.engine, body.confirm, confirmed)
    acts: dict[str, Callable[[], Awaitable[Operation]]] = {
        "retry": lambda: queue.retry_all(body.q, rate=body.rate, canary=body.canary, by=body.by),
        "cancel": lambda: queue.cancel_all(body.q, body.reason, rate=body.rate, by=body.by),
        "promote": lambda: queue.promote_all(body.q, rate=body.rate, by=body.by),
        "delete": lambda: queue.delete_all(body.q, rate=body.rate, by=body.by),
    }
    return _begun(site, (await (await acts[body.action]()).status()).asdict())


async def _confirmed(site: Site, asked: Asked[None, Any]) -> Queue:
    """The queue of the path. Raises ``Invalid`` unless the body names it."""
    queue = await known_queue(site.engine, asked.request)
    if asked.body.confirm != queue.name:
        hint = f"send {queue.name!r} to delete these jobs of it for good"
        raise Invalid([field_error("/confirm", "not-confirmed", "is not the name of the queue", hint)])
    return queue


def _begun(site: Site, operation: dict[str, Any]) -> Answer:
    return Answer(operation, 202, {"Location": f"{site.settings.base_path}{OPERATIONS}/{operation['id']}"})


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Those that run, and those that ended in the last day."""
    return {"data": [operation.asdict() for operation in await site.engine.operations()]}


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """One of them."""
    return (await site.engine.operation(asked.request.match_info["operation"]).status()).asdict()


async def cancel(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """The operation as it is now; 409 for one that had ended."""
    return (await site.engine.operation(asked.request.match_info["operation"]).cancel()).asdict()


# -- routes ------------------------------------------------------------------------------------------------------

OPERATION_NOT_FOUND: Final = OF_ENGINE[OperationNotFound]
_BEGUN: Final = (Success(202, "The operation, which goes on", OperationDocument, ("Location",)),)

ROUTES: Final = (
    Route(
        method="POST", path=PATH + "/{queue}/purge", handler=purge, scope=Scope.ADMIN, body=PurgeRequest,
        summary="delete the jobs of a queue for good, all but those that run or those of some states",
        answers=_BEGUN, problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="POST", path=PATH + "/{queue}/drain", handler=drain, scope=Scope.ADMIN, body=DrainRequest,
        summary="delete the jobs of a queue that have not begun, for good",
        answers=_BEGUN, problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="POST", path=JOBS + "/bulk", handler=bulk, scope=Scope.ADMIN, body=BulkRequest,
        summary="retry, cancel, promote or delete all jobs that a filter means, in the background; or count them",
        answers=(*_BEGUN, Success(200, "With `dry_run`, how many jobs there are, and nothing is changed", DryRun)),
        problems=(
            QUEUE_NOT_FOUND, OF_ENGINE[InvalidFilter], OF_ENGINE[UsageError], OF_ENGINE[OperationConflict], *OUTAGES,
        ),
    ),
    Route(
        method="GET", path=OPERATIONS, handler=index, scope=Scope.READ, narrowed=items_by("queue"),
        summary="the background operations that run, or ended in the last day",
        answers=(Success(200, "The operations", OperationList),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=_ONE, handler=show, scope=Scope.READ,
        summary="how far an operation is",
        answers=(Success(200, "The operation", OperationDocument),), problems=(OPERATION_NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="POST", path=_ONE + "/cancel", handler=cancel, scope=Scope.ADMIN,
        summary="end an operation where it is; what it has done stays done",
        answers=(Success(200, "The operation as it is now", OperationDocument),),
        problems=(OPERATION_NOT_FOUND, OF_ENGINE[OperationEnded], *OUTAGES),
    ),
)  # fmt: skip
