"""CORS: which web pages of others may call the API. None may, unless they are named; and each needs a key.

No cookie says who asks, so no page does anything in the name of whoever looks at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from .failures import Handler
from .marks import add

ANY: Final = "*"
_SEEN: Final = (
    "ETag, Idempotency-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, "
    "X-Request-Id"
)
_BEFORE: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, traceparent, "
        "tracestate"
    ),
    "Access-Control-Max-Age": "600",
}
"""What a browser is told that asks before it asks."""


def cors(origins: Sequence[str]) -> Middleware:
    """Every answer, problems among them, tells the pages of these origins that they may read it."""
    named = frozenset(origin.lower() for origin in origins)

    @web.middleware
    async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
        add(request, {"Vary": "Origin"})
        origin = request.headers.get("Origin", "")
        if origin and (ANY in named or origin.lower() in named):
            add(request, {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _SEEN})
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                add(request, _BEFORE)
        return await handler(request)

    return told
