"""Live counts as server-sent events.

event         data
-----------   ---------------------------------------------------------------
snapshot      all queues with their counts, and all workers; also after a gap
change        the queues whose counts changed since the last event, or none
unavailable   why the counts cannot be read; a snapshot follows when they can
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ..keys import FEED
from ..problems import Problem

HEARTBEAT: Final = 15.0
_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /api/v1/events: begins with a snapshot, so one resumed by ``Last-Event-ID`` has missed nothing."""
    feed = request.app[FEED]
    if feed.full:
        raise Problem(
            503, "too-many-watchers", "Too many browsers watch already.", headers={"Retry-After": "30"}
        )
    with feed.watch() as watcher:
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        try:
            await response.write(b"retry: 2000\n\n")
            async for frame in watcher.frames(HEARTBEAT):
                await response.write(frame)
        except ConnectionError:
            pass  # the browser has gone
    return response
