"""Reports: what one job tells while it runs, its log as it is and all of it as server-sent events.

event      data
--------   ---------------------------------------------------------------
state      ``{"state"}``: the state that the job has now, within a second
progress   how far it is
line       a line of its log; its number is the event's id
end        the job that has ended; the stream ends with it
lost       why it cannot be watched any more; the stream ends with it
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Final

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from streamq import JobRecord, LogLine, Progress, StateChange, StreamqError, event_name

from ..http.auth import Scope
from ..http.failures import OUTAGES, words_of
from ..http.inputs import WHOLE, Request
from ..http.route import Asked, Route, Success
from ..http.waiting import LOOK, has_gone
from ..json_text import told
from ..site import Site
from .events import HAS_ITS_SHARE, HEARTBEAT, TOO_MANY_WATCHERS, refuse_too_many, sent
from .jobs import JOB, JOB_NOT_FOUND
from .queues import QUEUE_NOT_FOUND, known_queue
from .told_job import sees_tracebacks, told_job

Event = Progress | LogLine | StateChange | JobRecord


class LogQuery(Request):
    """Which lines of a log: those behind a number."""

    after: Annotated[int, Field(ge=0), WHOLE] = 0


class LineDocument(TypedDict):
    """A line of a job's log; ``number`` counts all that the job has written, from 1."""

    number: int
    level: str
    text: str
    at: str | None
    attempt: int


class LogDocument(TypedDict):
    """What is kept of a log, oldest line first.

    The job has ``written`` so many lines, of which the first ``dropped`` are gone.
    """

    data: list[LineDocument]
    written: int
    dropped: int


async def log(site: Site, asked: Asked[LogQuery, None]) -> dict[str, Any]:
    """A job that has written nothing has an empty one."""
    queue = await known_queue(site.engine, asked.request)
    found = await queue.logs(asked.request.match_info["id"])
    lines = [line.asdict() for line in found.lines if line.number > asked.query.after]
    return {"data": lines, "written": found.written, "dropped": found.dropped}


async def watch(site: Site, asked: Asked[None, None]) -> web.StreamResponse:
    """Until the job has ended, or the browser or the service goes."""
    request = asked.request
    queue, traced = await known_queue(site.engine, request), sees_tracebacks(site, request)
    refuse_too_many(site.feed, asked.caller)
    with site.feed.place(asked.caller) as ends:
        async with aclosing(queue.watch(request.match_info["id"], after=_last_line(request))) as events:
            first = await anext(events)  # raises where there is no such job
            async with aclosing(_frames(request, first, events, ends, traced=traced)) as frames:
                return await sent(site, request, frames)


def _last_line(request: web.Request) -> int:
    """The number of the last line that a browser has, where it comes again."""
    said = request.headers.get("Last-Event-ID", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 15 else 0


async def _frames(
    request: web.Request,
    first: Event,
    events: AsyncGenerator[Event, None],
    ends: asyncio.Event,
    *,
    traced: bool,
) -> AsyncGenerator[bytes, None]:
    yield _frame(first, traced=traced)
    ending = asyncio.create_task(ends.wait())
    following: asyncio.Future[Event | None] | None = None
    quiet = 0.0
    try:
        while not (ends.is_set() or has_gone(request)):
            following = following or asyncio.ensure_future(anext(events, None))
            waited: set[asyncio.Future[Any]] = {following, ending}
            await asyncio.wait(waited, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                event, following, quiet = following.result(), None, 0.0
                if event is None:
                    return
                yield _frame(event, traced=traced)
            elif (quiet := quiet + LOOK) >= HEARTBEAT:
                quiet = 0.0
                yield b": still here\n\n"
    except StreamqError as error:
        yield b"event: lost\ndata: %b\n\n" % told({"code": error.code, "detail": words_of(error)})
    finally:
        ending.cancel()
        if following is not None:
            following.cancel()
            await asyncio.wait({following})


def _frame(event: Event, *, traced: bool) -> bytes:
    said = told_job(event, traced=traced) if isinstance(event, JobRecord) else event.asdict()
    number = b"id: %d\n" % event.number if isinstance(event, LogLine) else b""
    return number + b"event: %b\ndata: %b\n\n" % (event_name(event).encode(), told(said))


ROUTES: Final = (
    Route(
        method="GET", path=JOB + "/logs", handler=log, scope=Scope.READ, query=LogQuery,
        summary="what is kept of its log, oldest line first",
        answers=(Success(200, "The log", LogDocument),),
        problems=(QUEUE_NOT_FOUND, JOB_NOT_FOUND, *OUTAGES),
    ),
    Route(
        method="GET", path=JOB + "/events", handler=watch, scope=Scope.READ, is_stream=True,
        summary="what it tells from now on, until its end; resumed by `Last-Event-ID`, no line that is kept is missed",
        answers=(Success(200, "What the job tells", dict[str, Any], media="text/event-stream"),),
        problems=(QUEUE_NOT_FOUND, JOB_NOT_FOUND, TOO_MANY_WATCHERS, HAS_ITS_SHARE, *OUTAGES),
    ),
)  # fmt: skip
