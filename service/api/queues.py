"""Queues: which there are, and how many jobs they hold in each state."""

from __future__ import annotations

import asyncio
import difflib
from typing import Any

from aiohttp import web

from streamq import App, Queue

from ..answers import json
from ..keys import ENGINE
from ..problems import Problem


async def index(request: web.Request) -> web.Response:
    """GET /api/v1/queues"""
    engine = request.app[ENGINE]
    queues = await asyncio.gather(*(_described(engine.queue(name)) for name in await engine.queues()))
    return json({"data": queues})


async def show(request: web.Request) -> web.Response:
    """GET /api/v1/queues/{queue}"""
    return json(await _described(await known_queue(request)))


async def known_queue(request: web.Request) -> Queue:
    """The queue of the path. Raises ``Problem`` 404 when neither a task nor the server knows it."""
    engine, name = request.app[ENGINE], request.match_info["queue"]
    if name not in tasks_by_queue(engine):
        names = await engine.queues()
        if name not in names:
            near = difflib.get_close_matches(name, names, n=3)
            detail = f"There is no queue {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
            raise Problem(404, "queue-not-found", detail, did_you_mean=near)
    return engine.queue(name)


def tasks_by_queue(engine: App) -> dict[str, list[str]]:
    """The names of the registered tasks of each queue."""
    found: dict[str, list[str]] = {}
    for task in engine.tasks.values():
        found.setdefault(task.queue, []).append(task.name)
    return found


async def _described(queue: Queue) -> dict[str, Any]:
    return {"name": queue.name, "counts": (await queue.counts()).asdict()}
