"""Every error leaves in one shape: ``application/problem+json`` (RFC 9457), never with a stack trace.

what was raised              status    code
--------------------------   -------   ------------------------------------------
Problem                      its own   its own
InvalidPayload               422       validation, with ``errors``
UnknownTask                  422       unknown-task, with ``known_tasks``
PayloadTooLarge              413       payload-too-large, with ``limit_bytes``
any other UsageError         422       its own
JobNotFound                  404       job-not-found
WrongState                   409       wrong-state, with ``state`` and ``allowed``
Unavailable                  503       its own, with ``Retry-After``
no such path, wrong verb     404, 405  not-found, method-not-allowed (with ``Allow``)
a request no parser reads    400       malformed-request; 414 uri-too-long, 431 headers-too-large
a request that does not end  408       request-timeout
anything else                500       internal

A list of ``errors`` has at most 50; ``more_errors`` says how many were left out. What an outage says of its server
is in the log, with the request's id; a caller is told its kind alone.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from streamq import (
    InvalidPayload,
    JobNotFound,
    OutcomeUnknown,
    OutOfMemory,
    PayloadTooLarge,
    Rejected,
    StreamqError,
    Unavailable,
    UnknownTask,
    UsageError,
    WrongState,
)

from .marks import MARKS

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID: Final = web.RequestKey("request_id", str)
MOST_ERRORS: Final = 50
"""Field errors that are told: who made more has made one mistake many times."""
_LONGEST: Final = {"pointer": 200, "code": 50, "message": 300, "hint": 300}
_DETAIL: Final = 1_000
_CLIENT_GONE: Final = 499
"""The client hung up. For the access log alone: nobody is there to be told."""

log = logging.getLogger("streamq.api")


class Problem(Exception):
    """An answer that is an error. ``members`` become further members of the problem document."""

    def __init__(
        self, status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = dict(headers or {}), members
        super().__init__(detail)


class Invalid(Problem):
    """422 with the field errors: ``{"pointer", "code", "message", "hint"?}``, at most 50 and each of bounded length.

    ``count`` is how many there are when ``errors`` are only the first of them.
    """

    def __init__(
        self, errors: Sequence[Mapping[str, str]], what: str = "request body", *, count: int | None = None
    ) -> None:
        count = len(errors) if count is None else count
        many = f"{count:,} things are" if count > 1 else "one thing is"
        told = [{name: cut(text, _LONGEST[name]) for name, text in e.items()} for e in errors[:MOST_ERRORS]]
        more: dict[str, Any] = {"more_errors": count - len(told)} if count > len(told) else {}
        super().__init__(422, "validation", f"The {what} is not valid: {many} wrong.", errors=told, **more)


async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, or a problem document for whatever it raises. Gives the request its id."""
    request[REQUEST_ID] = secrets.token_hex(8)
    try:
        _check(request)
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _answer(request, _from_http(request, error))
    except Problem as problem:
        return _answer(request, problem)
    except StreamqError as error:
        return _answer(request, _from_engine(request, error))
    except Exception as error:
        return _answer(request, _from_the_unexpected(request, error))


def _from_the_unexpected(request: web.Request, error: Exception) -> Problem:
    if isinstance(error, web.RequestPayloadError):
        return Problem(400, "malformed-request", "The body does not come as its headers say.")
    if isinstance(error, ConnectionError) and request.transport is None:
        return Problem(_CLIENT_GONE, "client-gone", "The client hung up.")
    log.error("request %s: %s %s failed", request[REQUEST_ID], request.method, request.path, exc_info=error)
    return internal()


def internal() -> Problem:
    """500, which tells nothing of the inside."""
    return Problem(500, "internal", "The server failed; its log has the request id.")


def response(problem: Problem, request_id: str) -> web.Response:
    """The problem as an answer that is whole: no handler and no signal need add to it."""
    closes = problem.headers.get("Connection") == "close"
    headers = {name: value for name, value in problem.headers.items() if name != "Connection"}
    response = web.Response(
        status=problem.status,
        body=document(problem, request_id),
        content_type="application/problem+json",
        headers={**MARKS, "Cache-Control": "no-store", "X-Request-Id": request_id, **headers},
    )
    if closes:
        response.force_close()
    return response


def raw(problem: Problem) -> bytes:
    """The problem as the bytes of an answer after which the connection closes, for where there is no request."""
    number = secrets.token_hex(8)
    body = document(problem, number)
    headers = {
        **MARKS,
        "Cache-Control": "no-store",
        "X-Request-Id": number,
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {problem.status} {_title(problem.status)}\r\n{head}\r\n".encode() + body


def document(problem: Problem, request_id: str) -> bytes:
    """The problem as JSON text."""
    members = {
        "type": f"urn:streamq:problem:{problem.code}",
        "title": _title(problem.status),
        "status": problem.status,
        "code": problem.code,
        "detail": cut(problem.detail, _DETAIL),
        "request_id": request_id,
        **problem.members,
    }
    try:
        return orjson.dumps(members)
    except TypeError:  # half a character, of a header or a path that is not UTF-8
        return orjson.dumps(_writable(members))


def _answer(request: web.Request, problem: Problem) -> web.Response:
    return response(problem, request[REQUEST_ID])


def _title(status: int) -> str:
    return "Client Closed Request" if status == _CLIENT_GONE else HTTPStatus(status).phrase


def cut(text: str, most: int) -> str:
    """At most that many characters of it; what was left out is told by three dots."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _writable(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case Mapping():
            return {_writable(name): _writable(member) for name, member in value.items()}
        case list() | tuple():
            return [_writable(item) for item in value]
    return value


def _check(request: web.Request) -> None:
    """Refuse what cannot be an address or met, before a handler or the router sees it."""
    try:
        whole = request.raw_path.isascii() and request.url is not None
    except ValueError:
        whole = False
    if not whole:
        raise Problem(
            400, "malformed-request", "The path or the Host of this request is not one that can be."
        )
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise Problem(417, "expectation-failed", "Of the expectations, only 100-continue can be met.")


def _from_http(request: web.Request, error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not possible here; {allowed} is."
        return Problem(405, "method-not-allowed", detail, headers={"Allow": allowed})
    if error.status == 404:
        return Problem(404, "not-found", f"Nothing is at {cut(request.path, 200)}.")
    return Problem(error.status, error.reason.lower().replace(" ", "-"), error.reason)


def _from_engine(request: web.Request, error: StreamqError) -> Problem:  # noqa: PLR0911 - a table, as at the top
    detail = str(error)
    match error:
        case InvalidPayload():
            return Invalid(
                [{"pointer": e.pointer, "code": e.code, "message": e.message} for e in error.errors],
                "payload",
            )
        case UnknownTask():
            return Problem(422, error.code, detail, known_tasks=error.known)
        case PayloadTooLarge():
            return Problem(413, error.code, detail, size_bytes=error.size, limit_bytes=error.limit)
        case UsageError():
            return Problem(422, error.code, detail)
        case JobNotFound():
            return Problem(404, error.code, detail)
        case WrongState():
            return Problem(409, error.code, detail, state=error.state, allowed=error.allowed)
        case Unavailable():
            log.info("request %s: %s: %s", request[REQUEST_ID], error.code, detail)
            seconds = str(math.ceil(error.retry_after))
            return Problem(503, error.code, _outage(error), headers={"Retry-After": seconds})
        case _:
            log.error("request %s: unexpected: %s: %s", request[REQUEST_ID], error.code, detail)
            return Problem(500, error.code, "The server failed; its log has the request id.")


def _outage(error: Unavailable) -> str:
    """The kind of an outage in words that name no host, port or setting: callers without a key read them too."""
    match error:
        case OutcomeUnknown():
            return "The queue server did not answer in time: what was asked for may have been done, or not."
        case OutOfMemory():
            return "The queue server is full and takes no more jobs; try again later."
        case Rejected():
            return "The queue server refuses this service; the service's log says why."
    return "The queue server cannot be reached; try again later."
