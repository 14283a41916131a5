"""The HTTP application: its routes, with the scope each needs."""

from __future__ import annotations

from typing import Final, NamedTuple

from aiohttp import web

from streamq import App

from .api import events, health, jobs, messages, queues, workers
from .auth import Keys, Scope, guarded, keyed
from .dashboard import pages
from .dashboard.feed import Feed
from .keys import ACCESS, ENGINE, FEED, SETTINGS
from .local import door, let_in, this_machine
from .marks import MARKS, NOT_KEPT
from .problems import REQUEST_ID, Handler, problems
from .requests import MAX_BODY
from .settings import ServiceSettings


class Route(NamedTuple):
    """``scope`` None is open to all: it tells nothing of jobs."""

    method: str
    path: str
    handler: Handler
    scope: Scope | None


_QUEUE: Final = "/api/v1/queues/{queue}"

ROUTES: Final = (
    Route("GET", "/", pages.index, None),
    Route("GET", "/static/{file}", pages.static, None),
    Route("GET", "/health", health.live, None),
    Route("GET", "/ready", health.ready, None),
    Route("GET", "/api/v1/events", events.stream, Scope.READ),
    Route("GET", "/api/v1/workers", workers.index, Scope.READ),
    Route("GET", "/api/v1/queues", queues.index, Scope.READ),
    Route("GET", _QUEUE, queues.show, Scope.READ),
    Route("GET", _QUEUE + "/jobs", jobs.index, Scope.READ),
    Route("POST", _QUEUE + "/jobs", jobs.create, Scope.WRITE),
    Route("GET", _QUEUE + "/jobs/{id}", jobs.show, Scope.READ),
    Route("POST", _QUEUE + "/jobs/{id}/retry", jobs.retry, Scope.WRITE),
    Route("POST", "/api/v1/messages/sms", messages.send_sms, Scope.WRITE),
    Route("POST", "/api/schedule-sms", messages.send_sms, Scope.WRITE),
)


def build_app(engine: App, settings: ServiceSettings) -> web.Application:
    """The API and the dashboard over ``engine``, which is open as long as the application serves.

    Raises ``ConfigurationError`` for keys that cannot be read.
    """
    keys = Keys.parse(settings.api_keys.get_secret_value())
    here = [] if keys else [door({health.live, health.ready}, {pages.index, _to_the_page})]
    app = web.Application(middlewares=[problems, *here])
    check = keyed(keys) if keys else let_in
    app[ACCESS] = check if keys else this_machine
    app[ENGINE], app[SETTINGS], app[MAX_BODY] = engine, settings, settings.max_body
    app[health.READINESS] = health.Readiness(engine)
    app[FEED] = Feed(engine, interval=settings.feed_interval, limit=settings.max_watchers)
    for method, path, handler, scope in ROUTES:
        answer = handler if scope is None else guarded(handler, scope, check)
        app.router.add_route(method, settings.base_path + path, answer)
        if method == "GET" and handler is not events.stream:  # a stream has no end to tell the length of
            app.router.add_route("HEAD", settings.base_path + path, answer)
    if settings.base_path:
        app.router.add_get(settings.base_path, _to_the_page)  # and HEAD
    app.on_response_prepare.append(_mark)
    app.on_shutdown.append(_end)
    return app


async def _to_the_page(request: web.Request) -> web.Response:
    """Relative addresses need the trailing slash."""
    raise web.HTTPPermanentRedirect(f"{request.path}/")


async def _mark(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(MARKS)
    for name, value in NOT_KEPT.items():
        response.headers.setdefault(name, value)
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]


async def _end(app: web.Application) -> None:
    await app[FEED].close()
    await app[health.READINESS].close()
