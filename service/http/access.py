"""One line for each request: at ``info`` what changes something or goes wrong, at ``debug`` looks and health checks.

What a caller sends is anybody's text, and some of it is secret: of a query string the names alone are told, of a
referrer neither a login nor a query, and of the other headers only the user agent. Path and query are told as they
came, with percent signs: one line of plain characters.
"""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import quote

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from .marks import REQUEST_ID

_QUIET: Final = frozenset({"GET", "HEAD"})
_TOKEN: Final = re.compile(r"(/unsubscribe/).+")
_NUMBER: Final = re.compile(r"((?:\+|%2[Bb])\d{3})\d{4,}(?=\d{2})")
LONGEST: Final = 300
"""Characters of a path or a header that are told."""


class AccessLog(AbstractAccessLogger):
    """``201 POST /api/schedule-sms 164 bytes in 3 ms, request 9f86d081884c7d65``"""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Called by aiohttp after each answer; ``time`` is in seconds."""
        quiet = response.status < 400 and request.method in _QUIET
        level = logging.DEBUG if quiet else logging.INFO
        if not self.logger.isEnabledFor(level):
            return
        told = {
            "method": _plain(request.method[:20]),
            "path": _private(_plain(request.rel_url.raw_path[:LONGEST])),
            "query": _plain(_names(request.rel_url.raw_query_string)[:LONGEST]),
            "status": response.status,
            "bytes": response.body_length,
            "duration_ms": round(time * 1000, 1),
            "request_id": request.get(REQUEST_ID, ""),
            "remote": request.remote or "",
            "user_agent": request.headers.get("User-Agent", "")[:LONGEST],
            "referrer": _public(request.headers.get("Referer", ""))[:LONGEST],
        }
        line = f"{told['status']} {told['method']} {told['path']}{told['query'] and '?'}{told['query']}"
        more = f"{told['bytes']} bytes in {told['duration_ms']:.0f} ms"
        by = f", request {told['request_id']}" if told["request_id"] else ""
        self.logger.log(level, "%s %s%s", line, more, by, extra={k: v for k, v in told.items() if v != ""})


def _plain(text: str) -> str:
    """Text of a request line, what is not plain in it with a percent sign, as it should have come."""
    return quote(text, safe="!$%&'()*+,/:;=?@[]~", errors="backslashreplace")


def _private(path: str) -> str:
    """A path without what tells of a person: the token of a link, and most of a telephone number."""
    return _TOKEN.sub(r"\1***", _NUMBER.sub(r"\1***", path))


def _names(query: str) -> str:
    """The names in a query string; what has no name may be a secret itself."""
    return "&".join(name for name, equals, _ in (part.partition("=") for part in query.split("&")) if equals)


def _public(address: str) -> str:
    """Where a link was followed, without a login, a query and a fragment."""
    address = address.partition("?")[0].partition("#")[0]
    return address.rpartition("@")[2]
