"""The headers of every answer, whoever makes it: a handler, a problem, or the parser of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

REQUEST_ID: Final = web.RequestKey("request_id", str)
"""The number of a request, which its answer and the log both have."""

ADDED: Final = web.RequestKey("added", dict[str, str])
"""What the answer of a request has beside all of these, whoever makes it."""

MARKS: Final = {
    "Server": "streamq",  # and no version
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

NOT_KEPT: Final = {"Cache-Control": "no-store"}
"""What an answer has besides that does not say how long it may be kept."""

ANY: Final = CIMultiDict({**MARKS, **NOT_KEPT})
JSON: Final = CIMultiDict({**ANY, "Content-Type": "application/json"})


def marked(
    request: web.BaseRequest, headers: Mapping[str, str], kind: CIMultiDict[str] = ANY
) -> CIMultiDict[str]:
    """These headers of an answer, and those of every answer of its kind."""
    whole = kind.copy()
    whole["X-Request-Id"] = request[REQUEST_ID]
    if headers:
        whole.update(headers)
    for name, value in added_to(request).items():
        whole[name] = f"{whole[name]}, {value}" if name == "Vary" and name in whole else value
    return whole


def add(request: web.BaseRequest, headers: Mapping[str, str]) -> None:
    """The answer of the request is to have these, too."""
    request[ADDED] = {**added_to(request), **headers}


def added_to(request: web.BaseRequest) -> Mapping[str, str]:
    """What was added."""
    return request.get(ADDED) or {}
