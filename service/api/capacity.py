"""Capacity: what the present load takes, by a planner that is installed beside the service, and how far it may grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field, PlainValidator
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Figures, Rejected, State, Statistics

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.inputs import NUMBER, WHOLE, Delay, Request
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..json_text import encoded
from ..site import Site
from .stats import PAST, past

NO_PLANNER: Final = ProblemType(
    404, "no-planner", "no planner is installed: the package of the bench has one"
)
NO_PLAN: Final = ProblemType(
    422, "no-plan", "the planner has none for this load, or cannot read its coefficients"
)

Planner = Callable[..., dict[str, Any]]
_LEAST: Final = 0.001
"""Jobs a second that are planned at least: a plan for none has nothing to say."""
_LOOKED_AT: Final = 20
"""Jobs of each of as many queues, the busiest, by which the size of payloads is told."""
_QUEUES: Final = 5


# -- what is asked and answered ----------------------------------------------------------------------------------


class CapacityQuery(Request):
    """A load to plan for. What is left out is as it is now: the rate is that of the busiest step `since` then."""

    since: Annotated[Any, PlainValidator(past), PAST] = "1h"
    rate: Annotated[float | None, Field(gt=0, le=1e7), NUMBER] = None
    payload: Annotated[int | None, Field(ge=0, le=100_000_000), WHOLE] = None
    handler: Delay = None
    delayed: Annotated[int | None, Field(ge=0, le=10**12), WHOLE] = None
    p99: Delay = None
    concurrency: Annotated[int | None, Field(ge=1, le=100_000), WHOLE] = None
    cores: Annotated[int | None, Field(ge=1, le=1_024), WHOLE] = None
    spare: Annotated[int | None, Field(ge=0, le=1_000), WHOLE] = None
    batch: Annotated[int | None, Field(ge=1, le=1_000_000), WHOLE] = None


class Present(TypedDict):
    """What was looked at: `rate` and `peak` in attempts a second, of the window and of its busiest step; `handler` is
    the mean run in seconds, `payload` the mean bytes of some jobs, null where there were none."""

    rate: float
    peak: float
    handler: float | None
    payload: int | None
    delayed: int
    workers: int
    slots: int
    memory: int
    memory_limit: int
    memory_of_all: int
    nodes: int


class Gauge(TypedDict):
    """How far something is from its limit, in `unit`, of one process or server."""

    name: str
    used: float
    limit: float
    unit: str
    share: float


class CapacityDocument(TypedDict):
    """A plan: the smallest set-up below the limits, and with `reach` the attempts a second that the workers of
    now can do. `nodes` are servers, over which a queue with `partitions` is spread; the `fullest` has so many times the
    average. `assumed` is the load it is for, in seconds, bytes and jobs a second; `measured` says where the costs
    are from."""

    now: Present
    machines: int
    processes: int
    concurrency: int
    nodes: int
    partitions: int
    fullest: float
    connections: int
    redis_cpu: float
    worker_cpu: float
    memory: dict[str, float]
    p99: float
    gauges: list[Gauge]
    notes: list[str]
    reachable: bool
    reach: float | None
    assumed: dict[str, Any]
    measured: dict[str, Any]


# -- the present load --------------------------------------------------------------------------------------------


class _Load(NamedTuple):
    rate: float
    peak: float
    handler: float | None


def _load(found: Iterable[Statistics]) -> _Load:
    """Of all queues together."""
    all_of = list(found)
    steps = zip(*(statistics.points for statistics in all_of), strict=False)
    peak = max((sum(point.figures.rate for point in points) for points in steps), default=0.0)
    return _Load(sum(each.total.rate for each in all_of), peak, mean_run(each.total for each in all_of))


def mean_run(figures: Iterable[Figures]) -> float | None:
    """Seconds that an attempt of several queues ran in the mean; ``None`` where none did."""
    ran = [(mean, each.ended) for each in figures if (mean := each.run.mean) is not None]
    ended = sum(count for _, count in ran)
    return sum(seconds * count for seconds, count in ran) / ended if ended else None


async def _payload(app: App, found: Iterable[Statistics]) -> int | None:
    """The mean size of payloads of some jobs of the busiest queues."""
    busiest = sorted(found, key=lambda each: -each.total.ended)[:_QUEUES]
    sizes = [
        size for of in await asyncio.gather(*(_sizes(app, each.queue) for each in busiest)) for size in of
    ]
    return round(sum(sizes) / len(sizes)) if sizes else None


async def _sizes(app: App, queue: str) -> list[int]:
    """Bytes of payloads of the latest jobs; none where the server refuses to look, as at keys of somebody else."""
    try:
        page = await app.queue(queue).jobs(State.COMPLETED, limit=_LOOKED_AT)
    except Rejected:
        return []
    return [len(encoded(job.payload)) for job in page.items]


async def _present(app: App, since: Any) -> Present:
    found = await app.statistics(since)
    load, workers = _load(found.values()), [each for each in await app.workers() if each.takes_jobs]
    counts = await asyncio.gather(*(app.queue(name).counts() for name in await app.queues()))
    server = await app.server()
    return {
        "rate": round(load.rate, 3), "peak": round(max(load.rate, load.peak), 3), "handler": load.handler,
        "payload": await _payload(app, found.values()), "delayed": sum(each.delayed for each in counts),
        "workers": len(workers), "slots": sum(worker.slots for worker in workers),
        "memory": server.memory, "memory_limit": server.memory_limit, "memory_of_all": server.memory_of_all,
        "nodes": server.nodes,
    }  # fmt: skip


# -- handler and route -------------------------------------------------------------------------------------------


@cache
def _planner() -> Planner | None:
    """The first that is installed."""
    return next((entry.load() for entry in entry_points(group="streamq.capacity")), None)


@cache
def has_planner() -> bool:
    """Whether one is installed; it is not loaded by this."""
    return bool(entry_points(group="streamq.capacity"))


async def show(site: Site, asked: Asked[CapacityQuery, None]) -> dict[str, Any]:
    """Planned in a thread: many slots take a while."""
    if (planner := await asyncio.to_thread(_planner)) is None:
        raise Problem(NO_PLANNER, "No planner is installed: install the bench's package beside the service.")
    now = await _present(site.engine, asked.query.since)
    wishes = _wishes(asked.query, now)
    workers = now["workers"]
    try:
        plan = await asyncio.to_thread(
            planner, wishes, processes=workers, concurrency=max(1, now["slots"] // max(1, workers)),
            coefficients=site.settings.capacity_coefficients,
        )  # fmt: skip
    except ValueError as error:
        raise Problem(NO_PLAN, f"{error}"[:1].upper() + f"{error}"[1:] + ".") from None
    return {"now": now, **plan}


def _wishes(query: CapacityQuery, now: Present) -> dict[str, Any]:
    """The load that is asked for, with what it is now in the place of what is left out."""
    asked = query.model_dump(exclude={"since"}, exclude_none=True)
    payload = asked.pop("payload", now["payload"])
    found = {
        "rate": max(_LEAST, now["peak"]), "handler": now["handler"] or 0.0, "delayed": now["delayed"],
        "payload": None if payload is None else (payload, payload), "node_memory": now["memory_limit"] or None,
        **asked,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/capacity", handler=show, scope=Scope.READ, query=CapacityQuery,
        summary="what the present load takes, and how far the workers of now reach, where a planner is installed",
        answers=(Success(200, "The plan", CapacityDocument),), problems=(NO_PLANNER, NO_PLAN, *OUTAGES),
    ),
)  # fmt: skip
