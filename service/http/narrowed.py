"""What a key for some queues is answered: of these alone, what it is told of all queues otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from streamq import WorkerNotFound

from .problems import OTHER_QUEUES, Problem

Queues = frozenset[str]
Narrow = Callable[[Any, Queues], Any]
"""A document as a key for these queues may see it. Raises ``Problem`` where it may see nothing of it."""

QUEUES: Final = web.RequestKey("queues", Queues)
"""Those that the key of a request is for, where it is not for all."""


HOLDS_FOR: Final = web.RequestKey("holds for", Queues)
"""All queues that the key of a request is for, where it is not for all, also where it asks of one of them: what it is
told of an error names nothing that it did not name itself."""


_OF_THE_PROCESS: Final = ("memory", "loop_lag", "round_trip")


def by_its_handler(value: Any, _queues: Queues) -> Any:
    """As the handler has answered: it has seen to it."""
    return value


def items_by(member: str) -> Narrow:
    """A list of what has its queue as a member."""

    def narrow(value: Any, queues: Queues) -> Any:
        return {**value, "data": [item for item in value["data"] if item[member] in queues]}

    return narrow


def workers(value: Any, queues: Queues) -> Any:
    """The workers that serve one of them."""
    found = (worker_of(worker, queues) for worker in value["data"])
    return {"data": [worker for worker in found if worker["queues"]]}


def worker(value: Any, queues: Queues) -> Any:
    """One worker. Raises ``WorkerNotFound`` for one that serves none of them, as for one that is not there."""
    found = worker_of(value, queues)
    if not found["queues"]:
        raise WorkerNotFound(value["name"])
    return found


def worker_of(told: dict[str, Any], queues: Queues) -> dict[str, Any]:
    """A worker without what it does for other queues, and without its notes, which may be about these."""
    mine: dict[str, Any] = {n: _of(told[n], queues) for n in ("overdue", "running") if n in told}
    served = [name for name in told["queues"] if name in queues]
    if len(served) < len(told["queues"]):
        mine |= _for_others_too(told, len(mine.get("running", ())))
    return {**told, **mine, "queues": served, "notes": []}


def _for_others_too(told: dict[str, Any], busy: int) -> dict[str, Any]:
    """What would tell how much a worker does for other queues: of its jobs only those that are named count, its slots
    are all of them or none, and how its process does is not told."""
    said: dict[str, Any] = {name: None for name in _OF_THE_PROCESS if name in told}
    if told.get("busy") is not None:
        said["busy"] = busy
    return said | {"slots": told["concurrency"] if told["takes_jobs"] else busy}


def sample(told: dict[str, Any], queues: Queues) -> dict[str, Any]:
    """The live counts, or what changed of them."""
    named = ("queues", "paused", "overdue")
    mine: dict[str, Any] = {
        name: {q: of for q, of in told[name].items() if q in queues} for name in named if name in told
    }
    if "workers" in told:
        mine["workers"] = workers({"data": told["workers"]}, queues)["data"]
    return {**told, **mine}


def others(queues: Queues) -> Problem:
    """A key for some queues asked for what is none of theirs."""
    detail = f"This key is for {', '.join(sorted(queues))}: ask below /api/v1/queues/ of one of them."
    return Problem(OTHER_QUEUES, detail, queues=sorted(queues))


def _of(items: list[dict[str, Any]], queues: Queues) -> list[dict[str, Any]]:
    return [item for item in items if item["queue"] in queues]
