"""Autoscaling: how many workers the present work takes, as a number that an autoscaler reads.

slots = (rate x run) / SHARE + (waiting x run) / within, and never fewer than the jobs that run

``rate`` is of attempts that ended in a second, and ``run`` their mean time in seconds (Little's law: their product is
how many run at once); the second part works off what waits, ``within`` the time that is asked for. Jobs that a limit or
a pause holds back count for nothing: more workers would not start them.
"""

from __future__ import annotations

import asyncio
from functools import partial
from math import ceil
from typing import Annotated, Final, NamedTuple

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Counts, WorkerInfo

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.inputs import WHOLE, Delay, Request
from ..http.route import Asked, Route, Success
from ..site import Site
from .capacity import mean_run
from .queues import QUEUE_NOT_FOUND, queue_named

SINCE: Final = "10m"
"""Over which the rate and the mean run are taken: long enough to have both, and short enough to follow a day."""
SHARE: Final = 0.8
"""Of the slots that may be busy all the time: jobs come in bursts, and wait where none is free."""
WITHIN: Final = 60.0
"""Seconds in which what waits is to be worked off, by default."""
SLOTS: Final = 100
"""Slots of a worker where none is there to tell, as by default."""
FRESH: Final = 1.0
"""Seconds for which the answer is told again."""


class AutoscaleQuery(Request):
    """`queues` are those that the workers serve, separated by commas; all by default. `within` is the time in which
    what waits is to be worked off, 1m by default; `slots` the jobs that a worker runs at once, by default as now."""

    queues: Annotated[str | None, Field(min_length=1, max_length=2_600, pattern=r"^[A-Za-z0-9_., -]+$")] = (
        None
    )
    within: Delay = None
    slots: Annotated[int | None, Field(ge=1, le=100_000), WHOLE] = None


class Autoscale(TypedDict):
    """`workers` is how many there should be, none where nothing is to be done, and `slots` the jobs that they should
    run at once. Below it is what tells so: the workers that take jobs and their slots, the jobs that run and wait,
    the attempts that ended in a second, and how long one ran in the mean, in seconds, null where nothing ran."""

    workers: int
    slots: int
    workers_now: int
    slots_now: int
    active: int
    waiting: int
    rate: float
    run: float | None


class _Work(NamedTuple):
    """What is to be done. ``held`` are jobs that a limit holds back."""

    active: int
    waiting: int
    held: int
    rate: float
    run: float | None


async def show(site: Site, asked: Asked[AutoscaleQuery, None]) -> Autoscale:
    """Told to all who ask within a second."""
    query = asked.query
    question = ("autoscale", query.queues, query.within, query.slots)
    return await site.lately.told(question, FRESH, partial(_found, site.engine, query))


async def _found(app: App, query: AutoscaleQuery) -> Autoscale:
    wanted = None if query.queues is None else {name.strip() for name in query.queues.split(",")}
    for name in sorted(wanted or ()):  # a misspelt one would keep all workers away without a word
        await queue_named(app, name)
    workers = [each for each in await app.workers() if wanted is None or not wanted.isdisjoint(each.queues)]
    work, taking = await _work(app, wanted), [worker for worker in workers if worker.takes_jobs]
    slots = slots_for(work, query.within or WITHIN)
    return {
        "workers": ceil(slots / (query.slots or _slots_of_one(workers))), "slots": slots,
        "workers_now": len(taking), "slots_now": sum(worker.slots for worker in taking),
        "active": work.active, "waiting": work.waiting, "rate": round(work.rate, 3), "run": work.run,
    }  # fmt: skip


def _slots_of_one(workers: list[WorkerInfo]) -> int:
    return max(1, sum(worker.concurrency for worker in workers) // len(workers)) if workers else SLOTS


def slots_for(work: _Work, within: float) -> int:
    """Slots for it. What has never run is taken to need a slot for each job."""
    if work.run is None:
        needed: float = work.active + work.waiting
    else:
        needed = work.rate * work.run / SHARE + work.waiting * work.run / within
    is_any = bool(work.active or work.waiting or work.held)
    return max(ceil(needed), work.active, int(is_any))


async def _work(app: App, wanted: set[str] | None) -> _Work:
    names = [name for name in await app.queues() if wanted is None or name in wanted]
    told = await app.steering(names)
    counts = await asyncio.gather(*(app.queue(name).counts() for name in names))
    waiting = sum(
        count.waiting for name, count in zip(names, counts, strict=True) if told[name].paused is None
    )
    figures = [each for name, each in (await app.overall(SINCE)).queues.items() if name in names]
    return _Work(
        _sum(counts, "active"),
        waiting,
        _sum(counts, "held"),
        sum(each.rate for each in figures),
        mean_run(figures),
    )


def _sum(counts: list[Counts], state: str) -> int:
    return sum(getattr(each, state) for each in counts)


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/autoscale", handler=show, scope=Scope.READ, query=AutoscaleQuery,
        summary="how many workers the present work takes, for an autoscaler",
        answers=(Success(200, "The numbers", Autoscale),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
