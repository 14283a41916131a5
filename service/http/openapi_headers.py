"""The headers of requests and answers, as an OpenAPI document tells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from .problems import BAD_IF_MATCH
from .requests import MAX_WAIT
from .route import AnyRoute

_TEXT: Final = {"type": "string"}
_REQUEST_HEADERS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "Prefer": (
        _TEXT,
        f"`wait=N` waits N seconds, a whole number and {MAX_WAIT} at most, for the end of the job (RFC 7240)",
    ),
    "Idempotency-Key": (
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        "the same request with the same key is answered as it was the first time, for 24 hours",
    ),
    "If-Match": (
        {"type": "string", "pattern": r'^(W/)?"?[0-9]{1,9}(-[0-9a-f]{16})?"?$|^\*$'},
        "the version of the job that is to be changed, as its `ETag` told it",
    ),
    "If-None-Match": (_TEXT, "the `ETag` of what is known already: 304 where it is still the same"),
    "Last-Event-ID": (_TEXT, "the last event that was heard; a stream begins with a whole picture in any case"),
}  # fmt: skip

RATED: Final = ("RateLimit", "RateLimit-Policy")
"""What each answer has to a key with a rate."""

ANSWERED: Final[dict[str, Any]] = {
    name: {"description": about, "schema": schema}
    for name, schema, about in (
        ("X-Request-Id", _TEXT, "the number of the request, which the log has, too"),
        ("Location", _TEXT, "where it is: a path of this server"),
        ("ETag", _TEXT, "what changes when it does; of a job it begins with its version, for `If-Match`"),
        ("Preference-Applied", _TEXT, "that `Prefer: wait=N` was followed"),
        ("Idempotency-Replayed", _TEXT, "`true`: it is the answer of the first request with this key"),
        ("Retry-After", {"type": "integer"}, "seconds after which to ask again"),
        (
            "RateLimit",
            _TEXT,
            "of a key that has a rate: what is left of it, and in how many seconds it is whole again",
        ),
        ("RateLimit-Policy", _TEXT, "of a key that has a rate: how many requests in how many seconds"),
        ("WWW-Authenticate", _TEXT, "how to say who one is: `Bearer`"),
        ("Accept", _TEXT, "what is taken"),
        ("Accept-Encoding", _TEXT, "how a body may be packed"),
    )
}
_OF_STATUS: Final = {
    401: ("WWW-Authenticate",), 409: ("Retry-After",), 415: ("Accept", "Accept-Encoding"), 429: ("Retry-After", *RATED),
    503: ("Retry-After",),
}  # fmt: skip


def of_request(route: AnyRoute) -> Iterator[dict[str, Any]]:
    """The headers that a route understands, beside those of any request."""
    understood = {
        "Prefer": route.makes_a_job,
        "Idempotency-Key": route.is_idempotent,
        "If-Match": BAD_IF_MATCH in route.problems,
        "If-None-Match": any(answer.status == 304 for answer in route.answers),
        "Last-Event-ID": route.is_stream,
    }
    for name, (schema, about) in _REQUEST_HEADERS.items():
        if understood[name]:
            yield {"name": name, "in": "header", "required": False, "description": about, "schema": schema}


def of_problem(status: int) -> dict[str, Any]:
    """The headers of a problem, some of which come with some of its codes alone."""
    names = ("X-Request-Id", *_OF_STATUS.get(status, ()))
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
