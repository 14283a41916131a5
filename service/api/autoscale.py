"""The load of a queue, for what starts and ends workers by it."""

from __future__ import annotations

from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.route import Asked, Route, Success
from ..site import Site
from .queues import PATH, QUEUE_NOT_FOUND, known_queue


class Load(TypedDict):
    """``load`` jobs need a slot now: those that run, and those that wait unless the queue is paused."""

    queue: str
    load: int
    waiting: int
    active: int
    workers: int
    slots: int


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """Held jobs wait for their group, and delayed ones for their time: more workers would not start them."""
    queue = await known_queue(site.engine, asked.request)
    counts, told = await queue.counts(), await queue.steering()
    serving = [worker for worker in await site.engine.workers() if queue.name in worker.queues]
    return {
        "queue": queue.name,
        "load": counts.active + (0 if told.paused else counts.waiting),
        "waiting": counts.waiting,
        "active": counts.active,
        "workers": len(serving),
        "slots": sum(worker.concurrency for worker in serving),
    }


ROUTES: Final = (
    Route(
        method="GET", path=PATH + "/{queue}/autoscale", handler=show, scope=Scope.READ,
        summary="how many jobs of a queue need a slot now, and how many slots there are, for KEDA and its like",
        answers=(Success(200, "The load", Load),), problems=(QUEUE_NOT_FOUND, *OUTAGES),
    ),
)  # fmt: skip
