"""Live counts as server-sent events.

event         data
-----------   ---------------------------------------------------------------
snapshot      all queues with their counts, and all workers; also after a gap
change        the queues whose counts changed since the last event, or none
unavailable   why the counts cannot be read; a snapshot follows when they can
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from aiohttp import web

from ..auth import CALLER
from ..dashboard.feed import Feed
from ..keys import FEED
from ..problems import Problem

HEARTBEAT: Final = 15.0
STALL: Final = 30.0
"""Seconds until a browser that reads nothing any more is dropped."""
BUFFER: Final = 65_536
"""Bytes the system keeps for a browser that is behind; it would keep megabytes for each by itself."""
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/events: begins with a snapshot, so one resumed by ``Last-Event-ID`` has missed nothing."""
    feed, caller = request.app[FEED], request[CALLER]
    _refuse_too_many(feed, caller)
    with feed.watch(caller) as watcher:
        response = web.StreamResponse(headers=_HEADERS)
        _bound_buffers(request)
        try:
            await response.prepare(request)
            await response.write(b"retry: 2000\n\n")
            async for frame in watcher.frames(HEARTBEAT):
                async with asyncio.timeout(STALL):
                    await response.write(frame)
        except TimeoutError:
            _drop(request)
        except ConnectionError:
            pass  # the browser has gone
    return response


def _refuse_too_many(feed: Feed, caller: bytes) -> None:
    again = {"Retry-After": "30"}
    if feed.full:
        raise Problem(503, "too-many-watchers", "Too many browsers watch already.", headers=again)
    if feed.has_its_share(caller):
        detail = "This caller watches in too many browsers already: close one."
        raise Problem(429, "too-many-watchers", detail, headers=again)


def _bound_buffers(request: web.Request) -> None:
    if (stream := request.get_extra_info("socket")) is not None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
