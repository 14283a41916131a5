"""The HTTP application: the API and the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

from aiohttp import web

import streamq
from streamq import App

from . import api
from .access_settings import listed
from .api import index
from .api.messages import RULES, Rules
from .dashboard import pages
from .dashboard.feed import Feed
from .http.auth import SCOPE, Keys, Scope, keyed, still_holds
from .http.cors import cors
from .http.failures import STRANGERS, Guard
from .http.local import anyone, this_machine, this_machine_or_visits
from .http.made_keys import KeyRing, MadeKeys
from .http.openapi import Description
from .http.problems import Problem
from .http.route import AnyRoute, Callers, register
from .http.trusted_proxy import ALL, TrustedProxy
from .lately import Lately
from .messaging import sms
from .messaging.checked import check_settings
from .messaging.figures import figures_of
from .messaging.numbers import numbers_of
from .messaging.workspace_table import followed
from .messaging.workspaces import WorkspaceNames
from .readiness import Readiness
from .room import Room
from .sandbox.ledger import Ledger
from .settings import ServiceSettings
from .site import SITE, Site
from .traces import of_caller

ROUTES: Final = (*pages.ROUTES, *api.ROUTES)
"""All that is served, but a path that leads to the dashboard."""

_WITHOUT_KEYS: Final = {
    Callers.THIS_MACHINE: this_machine,
    Callers.VISITS: this_machine_or_visits,
    Callers.ANYONE: anyone,
}


def build_app(engine: App, settings: ServiceSettings, *, inbox: Ledger | None = None) -> web.Application:
    """The API and the dashboard over ``engine``, which is open as long as the application serves.

    ``inbox`` is what a sandbox inside takes, to be shown.

    Raises ``ConfigurationError`` for keys, and settings of messages, that cannot be read.
    """
    check_settings(settings)
    keys = KeyRing(Keys.of(settings), MadeKeys(engine), _proxy_of(settings))
    reading = _either(keys, keyed(keys, Scope.READ), this_machine)
    feed = Feed(engine, interval=settings.feed_interval, limit=settings.max_watchers)
    names = WorkspaceNames(settings.workspace_names)
    may_read = partial(_passes, reading)
    described = _described(settings, keys)
    site = Site(
        engine, settings, feed, Readiness(engine), Room(engine), names, described, Lately(), may_read, _scopes(keys),
        keys.actor_of, partial(still_holds, keys), inbox,
    )  # fmt: skip
    numbers = numbers_of(settings) if sms.CHANNEL.is_of(engine) else str
    origins = listed(settings.cors_origins)
    application = web.Application(middlewares=[cors(origins)] if origins else [])
    application[SITE], application[STRANGERS] = site, _either(keys, anyone, this_machine)
    register(
        application, (*ROUTES, pages.TO_THE_PAGE) if settings.base_path else ROUTES, site, _guard_of(keys),
        max_body=settings.max_body, base_path=settings.base_path, context={RULES: Rules.of(settings, numbers)},
        acting=lambda caller: engine.acting(keys.actor_of(caller)), tracing=of_caller if settings.traces else None,
    )  # fmt: skip
    application.cleanup_ctx.append(_counting)
    application.cleanup_ctx.append(partial(_looking, keys))
    application.cleanup_ctx.append(_naming)
    application.on_shutdown.append(_end)
    return application


def _proxy_of(settings: ServiceSettings) -> TrustedProxy | None:
    addresses = listed(settings.trusted_proxy_addresses)
    if not addresses:
        return None
    scopes = {
        group.strip(): Scope[scope.strip().upper()]
        for group, _, scope in (each.rpartition(":") for each in listed(settings.trusted_proxy_groups))
    } or {ALL: Scope[settings.trusted_proxy_scope.upper()]}
    header = settings.trusted_proxy_groups_header if settings.trusted_proxy_groups.strip() else ""
    return TrustedProxy(addresses, settings.trusted_proxy_header, scopes, header, settings.public_url)


def _described(settings: ServiceSettings, keys: KeyRing) -> Description:
    return Description(
        ROUTES, index.TAGS, index.tag_of,
        version=str(streamq.__version__), base_path=settings.base_path, has_keys=lambda: bool(keys),
    )  # fmt: skip


async def _counting(application: web.Application) -> AsyncIterator[None]:
    async with figures_of(application[SITE].engine).sending():
        yield


async def _looking(keys: KeyRing, _application: web.Application) -> AsyncIterator[None]:
    async with keys.looking():
        yield


async def _naming(application: web.Application) -> AsyncIterator[None]:
    async with followed(application[SITE].workspace_names, application[SITE].settings):
        yield


async def _end(application: web.Application) -> None:
    site = application[SITE]
    await site.feed.close()
    await site.readiness.close()
    await site.lately.close()


def _guard_of(keys: KeyRing) -> Callable[[AnyRoute], Guard]:
    """Who may ask for a route: by the scope of a key, or without keys by where a request comes from."""

    def guard(route: AnyRoute) -> Guard:
        with_key = (
            anyone
            if route.scope is None
            else keyed(keys, route.scope, is_narrowed=route.narrowed is not None)
        )
        return _either(keys, with_key, _WITHOUT_KEYS[route.without_keys])

    return guard


def _either(keys: KeyRing, with_keys: Guard, without: Guard) -> Guard:
    """The guard that holds now: the first key may be made while all runs."""

    def guard(request: web.Request) -> bytes:
        return with_keys(request) if keys else without(request)

    return guard


def _scopes(keys: KeyRing) -> Callable[[web.Request], Scope]:
    """What a caller may do who may read: all, where there are no keys."""

    def scope_of(request: web.Request) -> Scope:
        return request.get(SCOPE, Scope.READ) if keys else Scope.ADMIN

    return scope_of


def _passes(guard: Guard, request: web.Request) -> bool:
    try:
        guard(request)
    except Problem:
        return False
    return True
