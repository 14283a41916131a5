"""Statistics: what the jobs of a time came to, and how long they waited and ran."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NotRequired,  # pydantic takes typing's own from Python 3.12 on only
)

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from streamq import UsageError, WindowNotKept
from streamq.durations import seconds_of
from streamq.times import NoTime, parse_rfc3339

from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.inputs import Request, said
from ..http.narrowed import Queues, by_its_handler, others
from ..http.route import Asked, Route, Success
from ..site import Site
from .message_stats import By, MessageFigures, MessagePoint, message_stats
from .queues import PATH, QUEUE_NOT_FOUND, known_queue

STATS: Final = "/api/v1/stats"
FRESH: Final = 1.0
"""Seconds for which those of all queues are told again: workers add to them once a second."""


# -- what requests carry -----------------------------------------------------------------------------------------


def past(value: Any) -> float | datetime:
    """How long ago, or a time, which has a T in it."""
    try:
        return parse_rfc3339(value) if isinstance(value, str) and "T" in value else seconds_of(value)
    except NoTime as error:
        raise PydanticCustomError(error.code, "{text}", {"text": str(error)}) from error
    except ValueError:
        hint = {
            "hint": 'write how long ago it was, such as "90m" or "24h", or a time as 2030-01-31T09:00:00Z'
        }
        raise PydanticCustomError("time", "is neither a duration nor a time", hint) from None


PAST: Final = said('string: how long ago, such as `"6h"`, or a time of RFC 3339 with its zone', "string")


class StatsQuery(Request):
    """Of which time: `since` is an hour ago by default, `until` now. Without a `step` one is chosen."""

    since: Annotated[Any, PlainValidator(past), PAST] = "1h"
    until: Annotated[Any, PlainValidator(past), PAST] = None
    step: str | None = Field(default=None, max_length=20)


class AllStatsQuery(StatsQuery):
    """The same; with `by=queue` what all queues came to together, with the rates of each, in less than all they have;
    with another `by` what messages came to, told apart so, in the place of what jobs did."""

    by: By | Literal["queue"] | None = None


class QueueStatsQuery(StatsQuery):
    """The same, of one `task` alone where that is named, or of one `group`: a tenant, or `*` for those that are not
    told apart. With `by=group` the groups are told too."""

    task: str | None = Field(default=None, min_length=1, max_length=200)
    group: str | None = Field(default=None, min_length=1, max_length=128)
    by: Literal["group"] | None = None


# -- what is answered --------------------------------------------------------------------------------------------


class SpreadDocument(TypedDict):
    """Percentiles and the mean in seconds, each right within a tenth; null where there was nothing."""

    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None


class FiguresDocument(TypedDict):
    """What attempts came to. `rate` is how many ended in a second; `run` and `wait` are of jobs that ended."""

    completed: int
    failed: int
    cancelled: int
    expired: int
    retried: int
    rate: float
    run: SpreadDocument
    wait: SpreadDocument


class PointDocument(FiguresDocument):
    """One step, which begins `at`; `waiting` is how many jobs waited at most."""

    at: str
    waiting: int | None


class StatsDocument(TypedDict):
    """The statistics of a queue: in all, by task, and step by step. `step` is in seconds. Of `groups` the busiest are
    told apart, by tenant, where they were asked for."""

    queue: str
    task: str | None
    since: str
    until: str
    step: int
    total: FiguresDocument
    tasks: dict[str, FiguresDocument]
    group: str | None
    groups: dict[str, FiguresDocument]
    points: list[PointDocument]


class QueueFigures(FiguresDocument):
    """What a queue came to; `rates` are the attempts that ended in a second, step by step."""

    queue: str
    rates: list[float]


class AllStats(TypedDict):
    """Those of all queues; or, with `by`, the figures of queues in which anything ended, or of messages, with a series
    of all of them together."""

    data: list[StatsDocument] | list[QueueFigures] | list[MessageFigures]
    by: NotRequired[str]
    total: NotRequired[FiguresDocument]
    since: NotRequired[str]
    until: NotRequired[str]
    step: NotRequired[int]
    points: NotRequired[list[PointDocument] | list[MessagePoint]]


# -- handlers and routes -----------------------------------------------------------------------------------------


async def index(site: Site, asked: Asked[AllStatsQuery, None]) -> dict[str, Any]:
    """By queue, or as is asked."""
    look = partial(_found, site, asked.query, asked.queues)
    question = ("stats", asked.queues, *asked.query.model_dump().values())
    return await site.lately.told(question, FRESH, look)


async def _found(site: Site, query: AllStatsQuery, queues: Queues | None) -> dict[str, Any]:
    """Messages are of no queue: a key for some queues is told nothing of them."""
    engine, (since, until, step) = site.engine, (query.since, query.until, query.step)
    if query.by == "queue":
        return {"by": query.by, **(await engine.overall(since, until, step=step, queues=queues)).asdict()}
    if query.by is not None and queues is not None:
        raise others(queues)
    if query.by is not None:
        return await message_stats(engine, site.workspace_names, query.by, since, until, step)
    found = await engine.statistics(since, until, step=step)
    return {"data": [each.asdict() for name, each in found.items() if queues is None or name in queues]}


async def show(site: Site, asked: Asked[QueueStatsQuery, None]) -> dict[str, Any]:
    """Of one queue."""
    query = asked.query
    queue = await known_queue(site.engine, asked.request)
    found = await queue.statistics(
        query.since,
        query.until,
        step=query.step,
        task=query.task,
        group=query.group,
        by_group=query.by == "group",
    )
    return found.asdict()


_REFUSALS: Final = (OF_ENGINE[WindowNotKept], OF_ENGINE[UsageError], *OUTAGES)

ROUTES: Final = (
    Route(
        method="GET", path=STATS, handler=index, scope=Scope.READ, query=AllStatsQuery,
        narrowed=by_its_handler,
        summary="what the jobs of all queues came to in some time, and how long they waited and ran",
        answers=(Success(200, "The statistics", AllStats),), problems=_REFUSALS,
    ),
    Route(
        method="GET", path=PATH + "/{queue}/stats", handler=show, scope=Scope.READ, query=QueueStatsQuery,
        summary="the same of one queue, of one task or group in it, or by group",
        answers=(Success(200, "The statistics", StatsDocument),), problems=(QUEUE_NOT_FOUND, *_REFUSALS),
    ),
)  # fmt: skip
