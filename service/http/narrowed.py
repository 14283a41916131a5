"""What a key for some queues is answered: of these alone, what it is told of all queues otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from .problems import OTHER_QUEUES, Problem

Queues = frozenset[str]
Narrow = Callable[[Any, Queues], Any]
"""A document as a key for these queues may see it. Raises ``Problem`` where it may see nothing of it."""

QUEUES: Final = web.RequestKey("queues", Queues)
"""Those that the key of a request is for, where it is not for all."""


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
    """One worker. Raises ``Problem`` 403 for one that serves none of them."""
    found = worker_of(value, queues)
    if not found["queues"]:
        raise others(queues)
    return found


def worker_of(told: dict[str, Any], queues: Queues) -> dict[str, Any]:
    """A worker without what it does for other queues, and without its notes, which may be about these."""
    mine: dict[str, Any] = {n: _of(told[n], queues) for n in ("overdue", "running") if n in told}
    return {**told, **mine, "queues": [name for name in told["queues"] if name in queues], "notes": []}


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
