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
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import web

from ..dashboard.feed import Feed
from ..http.auth import Scope
from ..http.marks import marked
from ..http.narrowed import by_its_handler
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..site import Site

TOO_MANY_WATCHERS: Final = ProblemType(503, "too-many-watchers", "as many browsers watch as may")
HAS_ITS_SHARE: Final = TOO_MANY_WATCHERS._replace(
    status=429, meaning="this caller watches in too many browsers"
)

HEARTBEAT: Final = 15.0
"""Seconds: proxies drop what is silent for longer than 30 or 60."""
STALL: Final = 30.0
"""Seconds until a browser that reads nothing any more is dropped."""
BUFFER: Final = 65_536
"""Bytes the system keeps for a browser that is behind; it would keep megabytes for each by itself."""
_HEADERS: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


async def stream(site: Site, asked: Asked[None, None]) -> web.StreamResponse:
    """Until the browser or the service goes."""
    refuse_too_many(site.feed, asked.caller)
    with site.feed.watch(asked.caller, asked.queues) as watcher:
        return await sent(site, asked.request, watcher.frames(HEARTBEAT))


async def sent(site: Site, request: web.Request, frames: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send frames until there are no more, the browser has gone or reads nothing, or its key holds no more."""
    response = web.StreamResponse(headers=marked(request, _HEADERS))
    _bound_buffers(request)
    try:
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        async for frame in frames:
            if not site.still_holds(request):
                break
            async with asyncio.timeout(STALL):
                await response.write(frame)
    except TimeoutError:
        _drop(request)
    except ConnectionError:
        pass  # the browser has gone
    return response


def refuse_too_many(feed: Feed, caller: bytes) -> None:
    """Raise ``Problem`` where no place is left, or none for this caller."""
    again = {"Retry-After": "30"}
    if feed.full:
        raise Problem(TOO_MANY_WATCHERS, "Too many browsers watch already.", headers=again)
    if feed.has_its_share(caller):
        detail = "This caller watches in too many browsers already: close one."
        raise Problem(HAS_ITS_SHARE, detail, headers=again)


def _bound_buffers(request: web.Request) -> None:
    if (stream := request.get_extra_info("socket")) is not None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)


def _drop(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


ROUTES: Final = (
    Route(
        method="GET", path="/api/v1/events", handler=stream, scope=Scope.READ, is_stream=True,
        narrowed=by_its_handler,
        summary="begins with a snapshot, so one resumed by `Last-Event-ID` has missed nothing",
        answers=(Success(200, "The live counts", dict[str, Any], media="text/event-stream"),),
        problems=(TOO_MANY_WATCHERS, HAS_ITS_SHARE),
    ),
)  # fmt: skip
