"""What is done to one job: cancel, change, retry, delete."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import (
    OPTIONS,
    InvalidPayload,
    JobRecord,
    JSONText,
    KeyInUse,
    PayloadTooLarge,
    Queue,
    State,
    UsageError,
    VersionConflict,
    WrongState,
)

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.fields import Invalid, of_payload
from ..http.inputs import INTEGER, Delay, Instant, Request, of_option, one_time
from ..http.problems import BAD_IF_MATCH
from ..http.requests import expected_version
from ..http.route import Asked, Route, Success
from ..json_text import encoded
from ..site import Site
from .jobs import JOB, JOB_NOT_FOUND, JOBS, JobDocument, versioned
from .queues import QUEUE_NOT_FOUND, known_queue

LINE: Final = 500
"""Characters of a reason, which is shown on one line."""

Line = Annotated[str, Field(max_length=LINE, pattern=r"^[^\n]*$")]
Version = Annotated[int | None, Field(ge=0, le=10**9), INTEGER]


# -- what requests carry -----------------------------------------------------------------------------------------


class CancelRequest(Request):
    """Why a job is cancelled, and who asks: both are kept in its record."""

    reason: Line = ""
    by: Line = ""


class RetryRequest(Request):
    """With another ``payload`` a copy of the job is made, and the job stays as it ended: each says the other's id."""

    payload: Any = None


class Guarded(Request):
    """The ``version`` of the job that is to be changed, as it was told; ``If-Match`` says the same."""

    version: Version = None


class _When(Guarded):
    """``delay`` from now, or ``at`` a time."""

    delay: Delay = None
    at: Instant = None

    @field_validator("at")
    @classmethod
    def _one_time(cls, at: Any, info: ValidationInfo) -> Any:
        return one_time(at, info, "at")


class RescheduleRequest(_When):
    """When a job is to be due: ``delay`` from now, or ``at`` a time."""

    @model_validator(mode="after")
    def _some_time(self) -> RescheduleRequest:
        if self.delay is None and self.at is None:
            raise PydanticCustomError("missing", "say when: give delay or at")
        return self


class ChangeRequest(_When):
    """What is to change in a job that has not begun: all of it at once, or nothing. What is left out stays."""

    payload: Any = None
    priority: of_option(OPTIONS["priority"]) = None  # type: ignore[valid-type]


class Deleted(TypedDict):
    """The id of a job whose record is deleted."""

    deleted: str


# -- handlers ----------------------------------------------------------------------------------------------------


async def _found(site: Site, asked: Asked[Any, Any]) -> tuple[Queue, str]:
    return await known_queue(site.engine, asked.request), asked.request.match_info["id"]


def _version(asked: Asked[Any, Any]) -> int | None:
    """The version that the caller names in the header, else in the body."""
    said = expected_version(asked.request)
    return asked.body.version if said is None else said


async def cancel(site: Site, asked: Asked[None, CancelRequest]) -> Answer:
    """200 with the cancelled job; 202 while it runs, as its handler was only told."""
    queue, job_id = await _found(site, asked)
    job = await queue.cancel(job_id, asked.body.reason, by=asked.body.by)
    return versioned(job, 202 if job.state is State.ACTIVE else 200)


async def retry(site: Site, asked: Asked[None, RetryRequest]) -> Answer:
    """The job as it waits; with another payload the new job, 201."""
    queue, job_id = await _found(site, asked)
    if "payload" not in asked.body.model_fields_set:
        return versioned(await queue.retry(job_id))
    try:
        made = await queue.retry(job_id, payload=JSONText(encoded(asked.body.payload)))
    except InvalidPayload as error:
        raise Invalid(of_payload(error, "/payload")) from None
    answered = versioned(made, 201)
    where = f"{site.settings.base_path}{JOBS.replace('{queue}', queue.name)}/{made.id}"
    return answered._replace(headers={**answered.headers, "Location": where})


async def promote(site: Site, asked: Asked[None, Guarded]) -> Answer:
    """The job as it waits."""
    queue, job_id = await _found(site, asked)
    return versioned(await queue.promote(job_id, version=_version(asked)))


async def reschedule(site: Site, asked: Asked[None, RescheduleRequest]) -> Answer:
    """The job with its due time."""
    queue, job_id = await _found(site, asked)
    body = asked.body
    return versioned(await queue.reschedule(job_id, delay=body.delay, at=body.at, version=_version(asked)))


async def change(site: Site, asked: Asked[None, ChangeRequest]) -> Answer:
    """The job as it is after it."""
    queue, job_id = await _found(site, asked)
    return versioned(await _changed(queue, job_id, asked.body, _version(asked)))


async def _changed(queue: Queue, job_id: str, body: ChangeRequest, version: int | None) -> JobRecord:
    given: dict[str, Any] = {"priority": body.priority, "delay": body.delay, "at": body.at}
    if "payload" in body.model_fields_set:
        given["payload"] = JSONText(encoded(body.payload))
    try:
        return await queue.change(job_id, version=version, **given)
    except InvalidPayload as error:
        raise Invalid(of_payload(error, "/payload")) from None


async def delete(site: Site, asked: Asked[None, None]) -> Deleted:
    """Its id, as there is nothing else left of it."""
    queue, job_id = await _found(site, asked)
    await queue.delete(job_id)
    return {"deleted": job_id}


# -- routes ------------------------------------------------------------------------------------------------------

_COMMON: Final = (QUEUE_NOT_FOUND, JOB_NOT_FOUND, OF_ENGINE[WrongState])
_GUARDED: Final = (BAD_IF_MATCH, *_COMMON, OF_ENGINE[VersionConflict], OF_ENGINE[UsageError])
_CHANGED: Final = (Success(200, "The job as it is now", JobDocument, ("ETag",)),)

ROUTES: Final = (
    Route(
        method="POST", path=JOB + "/retry", handler=retry, scope=Scope.WRITE, body=RetryRequest,
        body_may_be_empty=True,
        summary="a job that failed, was cancelled or has expired waits again, or a copy with another payload",
        answers=(*_CHANGED, Success(201, "The copy", JobDocument, ("ETag", "Location"))),
        problems=(*_COMMON, OF_ENGINE[KeyInUse], OF_ENGINE[PayloadTooLarge], *OUTAGES),
    ),
    Route(
        method="POST", path=JOB + "/cancel", handler=cancel, scope=Scope.WRITE, body=CancelRequest,
        body_may_be_empty=True,
        summary="end a job; 202 where its handler runs, and is told",
        answers=(*_CHANGED, Success(202, "The job, which is to end", JobDocument, ("ETag",))),
        problems=(*_COMMON, *OUTAGES),
    ),
    Route(
        method="POST", path=JOB + "/promote", handler=promote, scope=Scope.WRITE, body=Guarded,
        body_may_be_empty=True,
        summary="a delayed job waits now, whenever it was due",
        answers=_CHANGED, problems=(*_GUARDED, *OUTAGES),
    ),
    Route(
        method="POST", path=JOB + "/reschedule", handler=reschedule, scope=Scope.WRITE, body=RescheduleRequest,
        summary="a waiting or delayed job gets another due time",
        answers=_CHANGED, problems=(*_GUARDED, *OUTAGES),
    ),
    Route(
        method="PATCH", path=JOB, handler=change, scope=Scope.WRITE, body=ChangeRequest,
        summary="a job that has not begun gets another payload, priority or due time; `If-Match` guards it",
        answers=_CHANGED, problems=(*_GUARDED, OF_ENGINE[PayloadTooLarge], *OUTAGES),
    ),
    Route(
        method="DELETE", path=JOB, handler=delete, scope=Scope.WRITE, any_type=True,
        summary="delete the record of a finished job",
        answers=(Success(200, "It is deleted", Deleted),), problems=(*_COMMON, *OUTAGES),
    ),
)  # fmt: skip
