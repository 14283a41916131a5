"""Workers: who is alive, what they serve, and what they do; they are told to take no new jobs, or to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import RemoteWorker, WorkerNotFound, WorkerStopping

from ..http import narrowed
from ..http.auth import Scope
from ..http.failures import OF_ENGINE, OUTAGES
from ..http.route import Asked, Route, Success
from ..site import Site

_PATH: Final = "/api/v1/workers"
_ONE: Final = _PATH + "/{id}"


class Running(TypedDict):
    """A job whose handler runs, and since when; of one that is overdue, since its attempt was judged."""

    job: str
    queue: str
    task: str
    since: str


class Worker(TypedDict):
    """What a worker says of itself, and with each beat of what it does: `state` is `working`, `quiet` or `stopping`,
    `busy` of its `concurrency` slots are taken, of what is `running` the 20 that run longest are told, `memory` is in
    bytes, `loop_lag` and `round_trip` in seconds. They are null until it has told them. `asked` is what it was told
    to do: `quiet`, `stop`, or nothing. One that `takes_jobs` has as many `slots` as its concurrency; of one that takes
    no more they are those that still run."""

    name: str
    host: str
    pid: int
    queues: list[str]
    concurrency: int
    started_at: str
    version: str
    overdue: list[Running]
    notes: list[dict[str, Any]]
    asked: str
    takes_jobs: bool
    slots: int
    seen_at: str | None
    state: str | None
    busy: int | None
    running: list[Running]
    memory: int | None
    loop_lag: float | None
    round_trip: float | None


class Workers(TypedDict):
    """All that are registered."""

    data: list[Worker]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """A lost one stays until it is reclaimed."""
    return {"data": [worker.asdict() for worker in await site.engine.workers()]}


async def show(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
    """One, by its name."""
    return (await site.engine.worker(asked.request.match_info["id"]).status()).asdict()


def _act(
    act: Callable[[RemoteWorker], Awaitable[None]],
) -> Callable[[Site, Asked[None, None]], Awaitable[dict[str, Any]]]:
    """A handler that asks something of a worker; it does that a moment later."""

    async def handle(site: Site, asked: Asked[None, None]) -> dict[str, Any]:
        worker = site.engine.worker(asked.request.match_info["id"])
        await act(worker)
        return (await worker.status()).asdict()

    return handle


_ACTS: Final = {
    "quiet": (RemoteWorker.quiet, "let a worker take no new jobs; what runs there goes on"),
    "resume": (RemoteWorker.resume, "let it take jobs again"),
    "stop": (RemoteWorker.stop, "end a worker as by SIGTERM: what runs there has the grace to end"),
}

ROUTES: Final = (
    Route(
        method="GET", path=_PATH, handler=index, scope=Scope.READ, narrowed=narrowed.workers,
        summary="the workers that are registered, with what they do now",
        answers=(Success(200, "The workers", Workers),), problems=OUTAGES,
    ),
    Route(
        method="GET", path=_ONE, handler=show, scope=Scope.READ, narrowed=narrowed.worker,
        summary="one worker",
        answers=(Success(200, "The worker", Worker),), problems=(OF_ENGINE[WorkerNotFound], *OUTAGES),
    ),
    *(
        Route(
            method="POST", path=f"{_ONE}/{name}", handler=_act(act), scope=Scope.ADMIN, summary=summary,
            answers=(Success(202, "It is asked; the worker as it is now", Worker),),
            problems=(OF_ENGINE[WorkerNotFound], OF_ENGINE[WorkerStopping], *OUTAGES),
        )
        for name, (act, summary) in _ACTS.items()
    ),
)  # fmt: skip
