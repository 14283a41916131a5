"""Without keys, only this machine may ask: programs that run on it, and the page that was served to its browser.

refused             because it
-----------------   ---------------------------------------------------------------------------------------
proxied             came through a proxy, from anywhere, or from an address that is not of this machine
foreign-host        was sent to a name that is not of this machine: somebody else chose where that name leads
cross-site          was made by another web page, one on another port of this machine among them
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Middleware

from .auth import Scope, is_loopback
from .problems import Handler, Problem

_PASSED_ON: Final = frozenset({
    "forwarded", "forwarded-for", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "client-ip",
    "true-client-ip", "x-original-forwarded-for", "x-original-host", "x-original-url", "x-original-uri",
    "x-rewrite-url",
})  # fmt: skip
"""Headers that a proxy adds; so are those that begin with the next."""
_PASSED_ON_TOO: Final = ("x-forwarded", "x-envoy-", "cf-")
_PROXIED: Final = (
    "Without API keys only programs on this machine are answered, and this request came through a proxy or from "
    "elsewhere: set STREAMQ_API_KEYS."
)
_FOREIGN: Final = (
    "Without API keys only loopback names such as 127.0.0.1 or localhost are answered: use one of them, or set "
    "STREAMQ_API_KEYS."
)
_CROSS_SITE: Final = (
    "Without API keys no other web page may call this API: set STREAMQ_API_KEYS and send a key."
)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")


def this_machine(request: web.Request, _needed: Scope = Scope.ADMIN) -> bytes:
    """Raise ``Problem`` 403 for what does not come from this machine, or comes from another page in its browser."""
    _refuse_others(request, visit=False)
    return b""


def let_in(_request: web.Request, _needed: Scope) -> bytes:
    """For routes behind the door, which has looked at every request already."""
    return b""


def door(probes: Container[Handler], page: Container[Handler]) -> Middleware:
    """A middleware before every path, unknown ones too: ``probes`` are answered to all, ``page`` may be linked to."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = request.match_info.handler
        if asked not in probes:
            _refuse_others(request, visit=asked in page and _is_a_visit(request))
        return await handler(request)

    return check


def _refuse_others(request: web.Request, *, visit: bool) -> None:
    if _is_passed_on(request):
        raise Problem(403, "proxied", _PROXIED)
    host = _own_name(request)
    if host is None:
        raise Problem(403, "foreign-host", _FOREIGN)
    if not (visit or _is_our_page(request, host)):
        raise Problem(403, "cross-site", _CROSS_SITE)


def _is_passed_on(request: web.Request) -> bool:
    # A proxy that is told nothing else speaks HTTP/1.0 to us; no browser and hardly a program does.
    return (
        request.version < HttpVersion11
        or not is_loopback(request.remote or "")
        or not request.raw_path.startswith(("/", "*"))  # the whole address, as it is sent to a proxy
        or any(_is_added(name.lower()) for name in request.headers)
    )


def _is_added(name: str) -> bool:
    return name in _PASSED_ON or name.startswith(_PASSED_ON_TOO)


def _own_name(request: web.Request) -> str | None:
    """The host and port we were asked by; None unless it is exactly one, and of this machine."""
    hosts = request.headers.getall("Host", [])
    found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return found[0].lower() if found and is_loopback(found[1]) else None


def _is_our_page(request: web.Request, host: str) -> bool:
    """Whether it is our own page that asks, or no page at all."""
    if any(origin.lower() != f"http://{host}" for origin in request.headers.getall("Origin", [])):
        return False
    return all(site in ("same-origin", "none") for site in request.headers.getall("Sec-Fetch-Site", []))


def _is_a_visit(request: web.Request) -> bool:
    """Whether somebody follows a link: the page with the link learns nothing, and cannot frame ours."""
    sent = [request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest")]
    return sent == ["navigate", "document"] and "Origin" not in request.headers
