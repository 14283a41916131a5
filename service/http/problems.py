"""Every error leaves in one shape: ``application/problem+json`` (RFC 9457), never with a stack trace.

Here is what an error is: its type, and the exception that carries it. ``failures`` makes one of whatever is raised.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from aiohttp import web

from ..json_text import told
from .marks import MARKS, NOT_KEPT

DETAIL: Final = 1_000
"""Characters of a detail: some quote what the caller sent."""
CLIENT_CLOSED_REQUEST: Final = 499
"""Not in any standard: nginx's status for a client that hung up. For the access log alone, as nobody is told."""


class ProblemType(NamedTuple):
    """A kind of error: its status, the code at the end of its ``type``, and what it means to a caller."""

    status: int
    code: str
    meaning: str


MALFORMED_REQUEST: Final = ProblemType(400, "malformed-request", "it is not a request of HTTP/1.1")
REQUEST_TIMEOUT: Final = ProblemType(408, "request-timeout", "its header or its body does not end")
URI_TOO_LONG: Final = ProblemType(414, "uri-too-long", "its address is too long")
EXPECTATION_FAILED: Final = ProblemType(417, "expectation-failed", "it expects more than `100-continue`")
HEADERS_TOO_LARGE: Final = ProblemType(431, "headers-too-large", "its headers are too long, or too many")
TOO_MANY_CONNECTIONS: Final = ProblemType(503, "too-many-connections", "no further connection can be served")
NOT_FOUND: Final = ProblemType(404, "not-found", "nothing is at this path")
METHOD_NOT_ALLOWED: Final = ProblemType(
    405, "method-not-allowed", "the header `Allow` has the methods of this path"
)
INTERNAL: Final = ProblemType(500, "internal", "the service failed; its log has the `request_id`")
CLIENT_GONE: Final = ProblemType(CLIENT_CLOSED_REQUEST, "client-gone", "the client hung up")

UNAUTHORIZED: Final = ProblemType(401, "unauthorized", "no valid API key was sent")
INSUFFICIENT_SCOPE: Final = ProblemType(
    403, "insufficient-scope", "the key has the scope `have`, and `needed` is needed"
)
OTHER_QUEUES: Final = ProblemType(403, "other-queues", "the key is for `queues` alone")
KEY_RATE: Final = ProblemType(429, "key-rate", "the key has had as many requests as it may for now")
PROXIED: Final = ProblemType(403, "proxied", "without API keys: it came through a proxy, or from elsewhere")
FOREIGN_HOST: Final = ProblemType(
    403, "foreign-host", "without API keys: it was sent to a name not of this machine"
)
CROSS_SITE: Final = ProblemType(403, "cross-site", "without API keys: another web page made it")

UNSUPPORTED_MEDIA_TYPE: Final = ProblemType(
    415, "unsupported-media-type", "its `Content-Type` is not JSON in UTF-8"
)
UNSUPPORTED_ENCODING: Final = ProblemType(
    415, "unsupported-content-encoding", "the body is packed otherwise than once by gzip or deflate"
)
BODY_TOO_LARGE: Final = ProblemType(
    413, "body-too-large", "the body has more than `limit_bytes`, sent or unpacked"
)
MALFORMED_ENCODING: Final = ProblemType(400, "malformed-encoding", "the packed body cannot be unpacked")
MALFORMED_JSON: Final = ProblemType(400, "malformed-json", "the body is no JSON, from `line` and `column` on")
VALIDATION: Final = ProblemType(
    422,
    "validation",
    "fields are missing or wrong: `errors` has all of them, the first 50; `more_errors` counts the rest",
)
WAIT_TOO_LONG: Final = ProblemType(422, "wait-too-long", "`Prefer: wait=N` asks for more than 60 seconds")
IDEMPOTENCY_KEY: Final = ProblemType(
    422, "idempotency-key-unsupported", "the header `Idempotency-Key` is not taken here"
)
BAD_IDEMPOTENCY_KEY: Final = ProblemType(
    400,
    "bad-idempotency-key",
    "the header `Idempotency-Key` is not 1 to 255 characters of ASCII, or comes twice",
)

BAD_IF_MATCH: Final = ProblemType(400, "bad-if-match", "the header `If-Match` has no version of a job")

OF_ANY_REQUEST: Final = (
    MALFORMED_REQUEST, REQUEST_TIMEOUT, URI_TOO_LONG, EXPECTATION_FAILED, HEADERS_TOO_LARGE, TOO_MANY_CONNECTIONS,
    INTERNAL,
)  # fmt: skip
"""Those that are answered before any route is chosen, or whichever is."""
OF_ANY_PATH: Final = (NOT_FOUND, METHOD_NOT_ALLOWED)
"""Those that tell that there is no such route."""
OF_CALLERS: Final = (
    UNAUTHORIZED, INSUFFICIENT_SCOPE, OTHER_QUEUES, KEY_RATE, PROXIED, FOREIGN_HOST, CROSS_SITE,
)  # fmt: skip
"""Those of routes that not everybody may ask."""
OF_BODIES: Final = (
    UNSUPPORTED_ENCODING, BODY_TOO_LARGE, MALFORMED_ENCODING, MALFORMED_JSON, VALIDATION,
)  # fmt: skip
"""Those of routes that take a body."""


class Hint(NamedTuple):
    """What may have been meant: a sentence behind the detail, and members that are lists of names. A caller who may not
    see all names is told of none."""

    text: str = ""
    members: Mapping[str, list[str]] = {}

    def untold(self) -> Hint:
        """The same without a name."""
        return Hint("", {name: [] for name in self.members})


NO_HINT: Final = Hint()


class Problem(Exception):
    """An answer that is an error. ``members`` become further members of the problem document; names of what there is
    stand in its ``hint`` alone."""

    def __init__(
        self, kind: ProblemType, detail: str, *, headers: Mapping[str, str] | None = None, hint: Hint = NO_HINT,
        **members: Any,
    ) -> None:  # fmt: skip
        self.kind, self.detail, self.hint = kind, detail, hint
        self.headers, self.members = dict(headers or {}), members
        super().__init__(detail)


def internal() -> Problem:
    """500, which tells nothing of the inside."""
    return Problem(INTERNAL, "The server failed; its log has the request id.")


def nothing_at(path: str) -> Problem:
    """404 for a path of no route."""
    return Problem(NOT_FOUND, f"Nothing is at {cut(path, 200)}.")


def response(problem: Problem, request_id: str) -> web.Response:
    """The problem as an answer that is whole: no handler and no signal need add to it."""
    headers = _headers(problem, request_id)
    closes = headers.pop("Connection", "") == "close"
    answer = web.Response(status=problem.kind.status, body=document(problem, request_id), headers=headers)
    if closes:
        answer.force_close()
    return answer


def raw(problem: Problem) -> bytes:
    """The problem as the bytes of an answer after which the connection closes, for where there is no request."""
    number = secrets.token_hex(8)
    body = document(problem, number)
    headers = {**_headers(problem, number), "Content-Length": str(len(body)), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {problem.kind.status} {_title(problem.kind.status)}\r\n{head}\r\n".encode() + body


def document(problem: Problem, request_id: str) -> bytes:
    """The problem as JSON text."""
    return told(members(problem, request_id))


def members(problem: Problem, request_id: str) -> dict[str, Any]:
    """What its document says."""
    kind = problem.kind
    return {
        "type": f"urn:streamq:problem:{kind.code}",
        "title": _title(kind.status),
        "status": kind.status,
        "code": kind.code,
        "detail": cut(problem.detail + problem.hint.text, DETAIL),
        "request_id": request_id,
        **problem.hint.members,
        **problem.members,
    }


def cut(text: str, most: int) -> str:
    """At most that many characters of it; what was left out is told by three dots."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _headers(problem: Problem, request_id: str) -> dict[str, str]:
    kind = {"Content-Type": "application/problem+json", "X-Request-Id": request_id}
    return {**MARKS, **NOT_KEPT, **kind, **problem.headers}


def _title(status: int) -> str:
    return "Client Closed Request" if status == CLIENT_CLOSED_REQUEST else HTTPStatus(status).phrase
