"""Without keys, only this machine may ask: programs that run on it, and the page that was served to its browser.

refused             because it
-----------------   ---------------------------------------------------------------------------------------
proxied             came through a proxy, from anywhere, or from an address that is not of this machine
foreign-host        was sent to a name that is not of this machine: somebody else chose where that name leads
cross-site          was made by another web page, one on another port of this machine among them
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from aiohttp import HttpVersion11, web

from streamq import is_loopback

from .problems import CROSS_SITE, FOREIGN_HOST, PROXIED, Problem

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


def this_machine(request: web.Request) -> bytes:
    """Raise ``Problem`` 403 for what does not come from this machine, or comes from another page in its browser."""
    _refuse_others(request, visit=False)
    return b""


def this_machine_or_visits(request: web.Request) -> bytes:
    """The same, but a link on any page may lead here."""
    _refuse_others(request, visit=_is_a_visit(request))
    return b""


def anyone(_request: web.Request) -> bytes:
    """Refuse nobody."""
    return b""


def _refuse_others(request: web.Request, *, visit: bool) -> None:
    if _is_passed_on(request):
        raise Problem(PROXIED, _PROXIED)
    hosts = request.headers.getall("Host", [])
    host = _own_name(hosts[0]) if len(hosts) == 1 else None
    if host is None:
        raise Problem(FOREIGN_HOST, _FOREIGN)
    if not (visit or _is_our_page(request, host)):
        raise Problem(CROSS_SITE, _CROSS_SITE)


def _is_passed_on(request: web.Request) -> bool:
    # A proxy that is told nothing else speaks HTTP/1.0 to us; no browser and hardly a program does.
    return (
        request.version < HttpVersion11
        or not is_loopback(request.remote or "")
        or not request.raw_path.startswith(("/", "*"))  # the whole address, as it is sent to a proxy
        or any(map(_is_added, request.headers))
    )


@lru_cache(256)  # the same names come with each request
def _is_added(name: str) -> bool:
    name = name.lower()
    return name in _PASSED_ON or name.startswith(_PASSED_ON_TOO)


@lru_cache(64)
def _own_name(host: str) -> str | None:
    """The host and port we were asked by; None unless it is of this machine."""
    found = _HOST.fullmatch(host)
    return found[0].lower() if found and is_loopback(found[1]) else None


def _is_our_page(request: web.Request, host: str) -> bool:
    """Whether it is our own page that asks, or no page at all."""
    headers = request.headers
    if "Origin" not in headers and "Sec-Fetch-Site" not in headers:
        return True  # no page at all
    if any(origin.lower() != f"http://{host}" for origin in headers.getall("Origin", ())):
        return False
    return all(site in ("same-origin", "none") for site in headers.getall("Sec-Fetch-Site", ()))


def _is_a_visit(request: web.Request) -> bool:
    """Whether somebody follows a link: the page with the link learns nothing, and cannot frame ours."""
    sent = [request.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest")]
    return sent == ["navigate", "document"] and "Origin" not in request.headers
