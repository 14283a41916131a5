"""Channels: how each sends messages, and how many of its jobs there are in each state."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import App, Limit, WorkerNote

from ..http.auth import Scope
from ..http.failures import OUTAGES
from ..http.route import Asked, Route, Success
from ..intake.intake import COUNTS, RECORDS
from ..intake.troubles import SUBJECT
from ..messaging import CHANNELS
from ..messaging.channel import Channel
from ..site import Site


class ChannelDocument(TypedDict):
    """A channel: its queues and tasks, its limit over all workers, its jobs by state, and what workers say of it.

    ``intake`` is there where a worker reads a database: it counts rows by their status.
    """

    name: str
    queues: list[str]
    tasks: list[str]
    concurrency: int | None
    rate: str | None
    counts: dict[str, int]
    notes: dict[str, str]


class Channels(TypedDict):
    """All channels of the app."""

    data: list[ChannelDocument]


async def index(site: Site, _asked: Asked[None, None]) -> dict[str, Any]:
    """Those of the app that runs here."""
    engine = site.engine
    notes = [(worker.name, note) for worker in await engine.workers() for note in worker.notes]
    found = [_described(engine, channel, notes) for channel in CHANNELS if channel.is_of(engine)]
    return {"data": [*await asyncio.gather(*found), *await _intake(engine, notes)]}


async def _intake(engine: App, notes: list[tuple[str, WorkerNote]]) -> list[dict[str, Any]]:
    """The intake has no queue of its own: it counts rows, which are in its tables until they have ended."""
    counts = await engine.records(RECORDS).get(COUNTS)
    told = {worker: note.text for worker, note in notes if note.subject == SUBJECT}
    if counts is None and not told:
        return []
    said: dict[str, Any] = {"name": SUBJECT, "queues": [], "tasks": [], "concurrency": None, "rate": None}
    return [{**said, "counts": counts.value if counts else {}, "notes": told}]


async def _described(engine: App, channel: Channel, notes: list[tuple[str, WorkerNote]]) -> dict[str, Any]:
    counts = Counter[str]()
    for of in await asyncio.gather(*(engine.queue(name).counts() for name in channel.queues)):
        counts.update(of.asdict())
    limit = (await engine.shared(channel.name).status()).limit
    return {
        "name": channel.name,
        "queues": channel.queues,
        "tasks": list(channel.tasks),
        **_limit(limit),
        "counts": dict(counts),
        "notes": {
            worker: note.text for worker, note in notes if note.subject.partition(" ")[0] == channel.name
        },
    }


def _limit(limit: Limit) -> dict[str, Any]:
    said = limit.asdict()
    return {"concurrency": said.get("concurrency"), "rate": said.get("rate")}


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/channels", handler=index, scope=Scope.READ,
        summary="the channels of the messaging service, with their limits, counts and notes of workers",
        answers=(Success(200, "The channels", Channels),), problems=OUTAGES,
    ),
)  # fmt: skip
