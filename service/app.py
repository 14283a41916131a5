"""The HTTP application: the API and the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

from aiohttp import web

from streamq import App

from . import api
from .api.messages import RULES, Rules
from .dashboard import pages
from .dashboard.feed import Feed
from .http.auth import Keys, Scope, actor_of, keyed
from .http.failures import STRANGERS, Guard
from .http.local import anyone, this_machine, this_machine_or_visits
from .http.problems import Problem
from .http.route import AnyRoute, Callers, register
from .messaging import sms
from .messaging.figures import figures_of
from .messaging.numbers import numbers_of
from .messaging.workspaces import WorkspaceNames
from .readiness import Readiness
from .settings import ServiceSettings
from .site import SITE, Site

ROUTES: Final = (*pages.ROUTES, *api.ROUTES)
"""All that is served, but a path that leads to the dashboard."""

_WITHOUT_KEYS: Final = {
    Callers.THIS_MACHINE: this_machine,
    Callers.VISITS: this_machine_or_visits,
    Callers.ANYONE: anyone,
}


def build_app(engine: App, settings: ServiceSettings) -> web.Application:
    """The API and the dashboard over ``engine``, which is open as long as the application serves.

    Raises ``ConfigurationError`` for keys that cannot be read.
    """
    keys = Keys.of(settings)
    reading = keyed(keys, Scope.READ) if keys else this_machine
    feed = Feed(engine, interval=settings.feed_interval, limit=settings.max_watchers)
    names = WorkspaceNames(settings.workspace_names)
    may_read = partial(_passes, reading)
    site = Site(engine, settings, feed, Readiness(engine), names, may_read, _scopes(keys))
    numbers = numbers_of(settings) if sms.CHANNEL.is_of(engine) else str
    application = web.Application()
    application[SITE], application[STRANGERS] = site, anyone if keys else this_machine
    register(
        application, (*ROUTES, pages.TO_THE_PAGE) if settings.base_path else ROUTES, site, _guard_of(keys),
        max_body=settings.max_body, base_path=settings.base_path, context={RULES: Rules.of(settings, numbers)},
        acting=lambda caller: engine.acting(actor_of(caller)),
    )  # fmt: skip
    application.cleanup_ctx.append(_counting)
    application.on_shutdown.append(_end)
    return application


async def _counting(application: web.Application) -> AsyncIterator[None]:
    async with figures_of(application[SITE].engine).sending():
        yield


async def _end(application: web.Application) -> None:
    site = application[SITE]
    await site.feed.close()
    await site.readiness.close()


def _guard_of(keys: Keys) -> Callable[[AnyRoute], Guard]:
    """Who may ask for a route: by the scope of a key, or without keys by where a request comes from."""

    def guard(route: AnyRoute) -> Guard:
        if not keys:
            return _WITHOUT_KEYS[route.without_keys]
        return anyone if route.scope is None else keyed(keys, route.scope)

    return guard


def _scopes(keys: Keys) -> Callable[[web.Request], Scope]:
    """What a caller may do who may read: all, where there are no keys."""

    def scope_of(request: web.Request) -> Scope:
        if not keys:
            return Scope.ADMIN
        return max(scope for scope in Scope if scope is Scope.READ or _passes(keyed(keys, scope), request))

    return scope_of


def _passes(guard: Guard, request: web.Request) -> bool:
    try:
        guard(request)
    except Problem:
        return False
    return True
