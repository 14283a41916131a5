"""Background operations: many jobs are deleted in small steps, and anybody may see how far that is, or end it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import OperationNotFound, Queue

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.fields import Invalid, field_error
from ..http.inputs import Request
from ..http.route import Asked, Route, Success
from ..site import Site
from .changes import Line
from .queues import PATH, QUEUE_NOT_FOUND, known_queue

OPERATIONS: Final = "/api/v1/operations"
_ONE: Final = OPERATIONS + "/{id}"


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


# -- what is answered --------------------------------------------------------------------------------------------


class OperationDocument(TypedDict):
    """A background operation: ``done`` jobs are deleted of the ``total`` that there were when it began."""

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
    return (await site.engine.operation(asked.request.match_info["id"]).status()).asdict()


async def cancel(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """The operation as it is now: one that has ended stays as it was."""
    return (await site.engine.operation(asked.request.match_info["id"]).cancel()).asdict()


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
        method="GET", path=OPERATIONS, handler=index, scope=Scope.READ,
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
        summary="end an operation where it is; what it has deleted stays deleted",
        answers=(Success(200, "The operation as it is now", OperationDocument),),
        problems=(OPERATION_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
