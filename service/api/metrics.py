"""Figures for Prometheus: what the server knows of queues, jobs, workers and messages.

They are looked up once for all who ask within a second. What came of attempts and messages are counters that are added
to once a second: whoever asks reads rates and percentiles of any time from them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from aiohttp import web

import streamq
from streamq import App, Counts, Totals, Unavailable, WorkerInfo

from ..clock import now
from ..http.auth import Scope
from ..http.marks import marked
from ..http.route import Asked, Route, Success
from ..lately import Lately
from ..messaging.figures import BY_CHANNEL, COUNTS
from ..messaging.reports import Reports
from ..room import Room
from ..site import Site
from .exposition import CONTENT_TYPE, Family, text_of

MOST: Final = 200
"""Queues that are told apart, those with the most jobs first."""
OTHERS: Final = "*"
"""All queues beyond, added up."""
FRESH: Final = 1.0
"""Seconds for which what was looked up is told again."""
AT_ONCE: Final = 20
"""Queues that are looked at side by side."""


class Metrics:
    """Those of an app."""

    def __init__(self, app: App, lately: Lately, room: Room) -> None:
        self._app, self._lately, self._room = app, lately, room

    async def text(self) -> bytes:
        """All of them; where the server cannot be reached, that it cannot."""
        about = Family("streamq_build_info", "1; its label has the version of the service")
        about.add(1, version=str(streamq.__version__))
        up = Family("streamq_server_up", "Whether the queue server answers: 1 or 0")
        try:
            found = await self._lately.told("metrics", FRESH, self._counted)
        except Unavailable:
            up.add(0)
            return text_of([about, up])
        up.add(1)
        return text_of([about, up, *found])

    async def _counted(self) -> list[Family]:
        app = self._app
        names, workers = await app.queues(), await app.workers()
        paused = {name for name, said in (await app.steering(names)).items() if said.paused}
        counts = dict(zip(names, await _each(names, lambda name: app.queue(name).counts()), strict=True))
        told = sorted(names, key=lambda name: -sum(counts[name].asdict().values()))[:MOST]
        ages = dict(
            zip(told, await _each(told, lambda name: _oldest_age(app, name, counts[name])), strict=True)
        )
        return [
            *_of_queues(counts, told, ages, paused, workers), *_of_workers(workers, counts), *await self._of_server(),
            await self._of_deliveries(), *_of_attempts(await app.totals()), await self._of_messages(),
        ]  # fmt: skip

    async def _of_server(self) -> list[Family]:
        server = await self._room.state()
        memory = Family(
            "streamq_server_memory_bytes", "Memory that the queue server uses, or the fullest node"
        )
        memory.add(server.memory)
        limit = Family(
            "streamq_server_memory_limit_bytes", "Memory that it may use; none where it has no limit"
        )
        limit.add(server.memory_limit or None)
        of_all = Family(
            "streamq_server_memory_of_all_bytes", "Memory that all nodes of a cluster use together"
        )
        of_all.add(server.memory_of_all)
        nodes = Family("streamq_server_nodes", "Primaries of the cluster; 1 where it is none")
        nodes.add(server.nodes)
        round_trip = Family("streamq_server_round_trip_seconds", "How long it took to answer")
        round_trip.add(await self._app.ping())
        return [memory, limit, of_all, nodes, round_trip]

    async def _of_deliveries(self) -> Family:
        unknown = Family(
            "streamq_deliveries_unknown", "Messages of which nobody knows whether they were sent"
        )
        unknown.add(await Reports(self._app).deliveries.count_unknown())
        return unknown

    async def _of_messages(self) -> Family:
        messages = Family(
            "streamq_messages_total", "What messages came to, by channel and outcome", "counter"
        )
        for channel, found in (await self._app.tallies(BY_CHANNEL).totals()).items():
            for outcome in COUNTS:
                if outcome != "tokens":
                    messages.add(found.counts.get(outcome, 0), channel=channel, outcome=outcome)
        return messages


async def _each(names: Sequence[str], look: Callable[[str], Awaitable[object]]) -> list:  # type: ignore[type-arg]
    bound = asyncio.Semaphore(AT_ONCE)

    async def bounded(name: str) -> object:
        async with bound:
            return await look(name)

    return await asyncio.gather(*map(bounded, names))


async def _oldest_age(app: App, name: str, counts: Counts) -> float:
    """For how many seconds the first of those that wait has waited."""
    if not counts.waiting:
        return 0.0
    since = await app.queue(name).waiting_since()
    return 0.0 if since is None else max(0.0, (now() - since).total_seconds())


def _of_queues(
    counts: Mapping[str, Counts], told: Sequence[str], ages: Mapping[str, float], paused: set[str],
    workers: Sequence[WorkerInfo],
) -> list[Family]:  # fmt: skip
    jobs = Family(
        "streamq_jobs", "Jobs by queue and state; those that have ended as far as their records are kept"
    )
    oldest = Family("streamq_oldest_waiting_age_seconds", "For how long the first waiting job has waited")
    rests = Family("streamq_queue_paused", "Whether the queue is paused: 1 or 0")
    served = Family("streamq_queue_workers", "Workers that serve the queue and take new jobs")
    serving = Counter(queue for worker in workers if worker.takes_jobs for queue in worker.queues)
    others: Counter[str] = Counter()
    for name, count in counts.items():
        if name not in ages:
            others.update(count.asdict())
    for name in told:
        for state, number in counts[name].asdict().items():
            jobs.add(number, queue=name, state=state)
        oldest.add(ages[name], queue=name)
        rests.add(int(name in paused), queue=name)
        served.add(serving[name], queue=name)
    for state, number in others.items():
        jobs.add(number, queue=OTHERS, state=state)
    return [jobs, oldest, rests, served]


def _of_workers(workers: Sequence[WorkerInfo], counts: Mapping[str, Counts]) -> list[Family]:
    number = Family("streamq_workers", "Workers that are registered")
    number.add(len(workers))
    slots = Family("streamq_worker_slots", "Jobs that run at once with them, as many as may")
    slots.add(sum(worker.slots for worker in workers))
    busy = Family("streamq_worker_slots_busy", "Jobs that they have")
    busy.add(sum(count.active for count in counts.values()))
    overdue = Family(
        "streamq_overdue_handlers", "Handlers that run past their time limit and could not be ended"
    )
    overdue.add(sum(len(worker.overdue) for worker in workers))
    return [number, slots, busy, overdue]


def _of_attempts(totals: Mapping[str, Totals]) -> list[Family]:
    """Those with the most attempts first. The others are not added up: what is among them changes, so it could fall."""
    ended = Family("streamq_attempts_total", "Attempts that ended, by queue and outcome", "counter")
    run = Family("streamq_run_seconds", "How long the last attempts of jobs ran that ended", "histogram")
    wait = Family("streamq_wait_seconds", "How long these had waited before", "histogram")
    for each in sorted(totals.values(), key=lambda each: -sum(each.outcomes.values()))[:MOST]:
        for outcome, number in each.outcomes.items():
            ended.add(number, queue=each.queue, outcome=outcome)
        run.spread(each.run, queue=each.queue)
        wait.spread(each.wait, queue=each.queue)
    return [ended, run, wait]


async def show(site: Site, asked: Asked[None, None]) -> web.Response:
    """Also while the queue server is away."""
    headers = marked(asked.request, {"Content-Type": CONTENT_TYPE})
    return web.Response(body=await Metrics(site.engine, site.lately, site.room).text(), headers=headers)


ROUTES: Final = (
    Route(
        method="GET", path="/metrics", handler=show, scope=Scope.READ,
        summary="figures for Prometheus: queues, jobs, workers, latencies, messages and the queue server",
        answers=(Success(200, "Text of format 0.0.4", media="text/plain"),),
    ),
)  # fmt: skip
