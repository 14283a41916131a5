"""Schedules: look at, make, steer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, cast

from pydantic import Field, PlainValidator, create_model
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import (
    SCHEDULING,
    Calendar,
    InvalidPayload,
    JSONText,
    PayloadTooLarge,
    QueueFull,
    ScheduleConflict,
    ScheduleNotFound,
    UnknownTask,
    UsageError,
)
from streamq.times import NoTime, parse_rfc3339

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.fields import Invalid, of_payload
from ..http.inputs import INTEGER, TIME_HINT, WHOLE, Request, of_option, said
from ..http.route import Asked, Route, Success
from ..json_text import encoded
from ..site import Site
from .changes import Line
from .jobs import check_task
from .queues import QUEUE_NOT_FOUND
from .sent import place

SCHEDULES: Final = "/api/v1/schedules"
SCHEDULE: Final = SCHEDULES + "/{name}"


# -- what requests carry -----------------------------------------------------------------------------------------


def _moment(value: Any) -> datetime | None:
    """An RFC 3339 time with its zone, also one that is over: a schedule may be sent again as it was."""
    try:
        return None if value is None else parse_rfc3339(value)
    except NoTime as error:
        raise PydanticCustomError(error.code, "{text}", {"text": str(error), **TIME_HINT}) from error


Moment = Annotated[
    datetime | None,
    PlainValidator(_moment),
    said("string: a time of RFC 3339 with its zone", "string", "null", format="date-time"),
]


class CalendarBody(Request):
    """When a schedule does not run."""

    holidays: Annotated[str | None, Field(max_length=20)] = None
    blackouts: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        default_factory=list, max_length=100
    )

    def made(self) -> Calendar:
        """The calendar of the engine."""
        return Calendar(self.holidays, [(begin, end) for begin, end in self.blackouts])


class ScheduleBody(Request):
    """Which job a schedule enqueues, and when: one of ``cron``, ``every`` and ``at``. Durations are in seconds, or text
    such as ``5m``.

    ``queue`` is the task's where the service knows the task. ``version`` is that of the schedule as the caller knows
    it, 0 for one that is to be new; left out, it is changed whatever it is.
    """

    task: str = Field(min_length=1, max_length=200)
    queue: str | None = None
    payload: Any = None
    calendar: CalendarBody | None = None
    version: Annotated[int | None, Field(ge=0), INTEGER] = None

    def options(self) -> dict[str, Any]:
        """The options that were given, as the engine takes them."""
        given = {name: getattr(self, name) for name in self.model_fields_set & SCHEDULING.keys()}
        return {**given, "calendar": self.calendar.made() if self.calendar else None}


_FIELDS: Final[dict[str, Any]] = {
    name: (Moment if option.form == "time" else of_option(option), None)
    for name, option in SCHEDULING.items()
}
ScheduleRequest = cast(
    "type[ScheduleBody]",
    create_model("ScheduleRequest", __base__=ScheduleBody, __doc__=ScheduleBody.__doc__, **_FIELDS),
)
"""The body of a schedule, with a field for each of its options."""


class SchedulePauseRequest(Request):
    """Why a schedule is paused."""

    reason: Line = ""


class PreviewQuery(Request):
    """How many planned times to show."""

    count: Annotated[int, Field(ge=1, le=100), WHOLE] = 5


# -- what is answered --------------------------------------------------------------------------------------------


class ScheduleDocument(TypedDict):
    """A schedule. Times are RFC 3339 in UTC, by the queue server's clock; durations are seconds."""

    name: str
    queue: str
    task: str
    payload: Any
    cron: str | None
    every: float | None
    at: str | None
    zone: str
    start: str | None
    end: str | None
    jitter: float
    overlap: str
    misfire: str
    misfire_limit: int
    calendar: dict[str, Any] | None
    priority: str
    group: str | None
    payload_version: int
    source: str
    version: int
    state: str
    orphaned: bool
    paused: dict[str, Any] | None
    next_at: str | None
    last_planned_at: str | None
    last_at: str | None
    last_job: str | None
    runs: int
    skipped: int
    missed: int


class Schedules(TypedDict):
    """All schedules."""

    data: list[ScheduleDocument]


class Run(TypedDict):
    """The job of a run."""

    id: str
    queue: str
    task: str


class Planned(TypedDict):
    """A planned time: the moment, the time in the schedule's zone, and what is special about it."""

    at: str
    local: str
    note: str | None


class Preview(TypedDict):
    """The next planned times."""

    data: list[Planned]


# -- handlers ----------------------------------------------------------------------------------------------------


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Those that code declares, and those that were made at run time."""
    return {"data": [record.asdict() for record in await site.engine.schedules.list()]}


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Everything known of it."""
    return (await site.engine.schedules.get(_name(asked))).asdict()


async def put(site: Site, asked: Asked[None, ScheduleBody]) -> dict[str, Any]:
    """The same request again changes nothing."""
    body, schedules, name = asked.body, site.engine.schedules, _name(asked)
    given: Any = {"task": body.task, "payload": JSONText(encoded(body.payload)), "queue": body.queue}
    try:
        schedule = schedules.made(name, **given, options=body.options())
        await check_task(site.engine, schedule.queue, schedule.task)
        record = await schedules.put(name, **given, version=body.version, **body.options())
    except InvalidPayload as error:
        raise Invalid(of_payload(error, "/payload")) from None
    return record.asdict()


async def remove(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """It is told as it was."""
    name = _name(asked)
    record = await site.engine.schedules.get(name)
    await site.engine.schedules.remove(name)
    return record.asdict()


async def run(site: Site, asked: Asked[None, None]) -> Answer:
    """201, and where the job is."""
    job = await site.engine.schedules.run(_name(asked))
    told = {"id": job.id, "queue": job.queue, "task": job.task}
    return Answer(told, 201, {"Location": place(site, job)})


async def pause(site: Site, asked: Asked[None, SchedulePauseRequest]) -> dict[str, Any]:
    """The schedule as it rests."""
    return (await site.engine.schedules.pause(_name(asked), reason=asked.body.reason)).asdict()


async def resume(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """The schedule as it runs."""
    return (await site.engine.schedules.resume(_name(asked))).asdict()


async def preview(site: Site, asked: Asked[PreviewQuery, None]) -> dict[str, Any]:
    """Of a schedule that is kept."""
    schedules = site.engine.schedules
    record = await schedules.get(_name(asked))
    return {"data": [each.asdict() for each in schedules.preview(record.schedule, asked.query.count)]}


def _name(asked: Asked[Any, Any]) -> str:
    return asked.request.match_info["name"]


# -- routes ------------------------------------------------------------------------------------------------------

NOT_FOUND: Final = OF_ENGINE[ScheduleNotFound]
CONFLICT: Final = OF_ENGINE[ScheduleConflict]
_SHOWN: Final = Success(200, "The schedule", ScheduleDocument)

ROUTES: Final = (
    Route(
        method="GET", path=SCHEDULES, handler=index, scope=Scope.READ,
        summary="the schedules", answers=(Success(200, "The schedules", Schedules),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=SCHEDULE, handler=show, scope=Scope.READ,
        summary="everything known of a schedule", answers=(_SHOWN,), problems=(NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="PUT", path=SCHEDULE, handler=put, scope=Scope.WRITE, body=ScheduleRequest,
        summary="make a schedule, or change it to what is given", answers=(_SHOWN,),
        problems=(
            QUEUE_NOT_FOUND, OF_ENGINE[UnknownTask], CONFLICT, OF_ENGINE[PayloadTooLarge], OF_ENGINE[UsageError],
            *OUTAGES,
        ),
    ),
    Route(
        method="DELETE", path=SCHEDULE, handler=remove, scope=Scope.WRITE, any_type=True,
        summary="remove a schedule; its jobs stay", answers=(Success(200, "As it was", ScheduleDocument),),
        problems=(NOT_FOUND, CONFLICT, *OUTAGES),
    ),
    Route(
        method="POST", path=SCHEDULE + "/run", handler=run, scope=Scope.WRITE,
        summary="run it now, beside what is planned", answers=(Success(201, "The job", Run, ("Location",)),),
        problems=(NOT_FOUND, CONFLICT, OF_ENGINE[QueueFull], *OUTAGES),
    ),
    Route(
        method="POST", path=SCHEDULE + "/pause", handler=pause, scope=Scope.WRITE, body=SchedulePauseRequest,
        summary="let it rest until it is resumed", answers=(_SHOWN,),
        problems=(NOT_FOUND, CONFLICT, OF_ENGINE[UsageError], *OUTAGES),
    ),
    Route(
        method="POST", path=SCHEDULE + "/resume", handler=resume, scope=Scope.WRITE,
        summary="it runs again, from its next planned time on", answers=(_SHOWN,),
        problems=(NOT_FOUND, CONFLICT, *OUTAGES),
    ),
    Route(
        method="GET", path=SCHEDULE + "/preview", handler=preview, scope=Scope.READ, query=PreviewQuery,
        summary="the next planned times, with a note where clocks are set",
        answers=(Success(200, "The planned times", Preview),), problems=(NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
