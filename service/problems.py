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
anything else                500       internal
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from aiohttp import web

from streamq import (
    InvalidPayload,
    JobNotFound,
    PayloadTooLarge,
    StreamqError,
    Unavailable,
    UnknownTask,
    UsageError,
    WrongState,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID: Final = web.RequestKey("request_id", str)
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
    """422 with every field error at once: ``{"pointer", "code", "message", "hint"?}``."""

    def __init__(self, errors: list[dict[str, str]], what: str = "request body") -> None:
        many = f"{len(errors)} things are" if len(errors) > 1 else "one thing is"
        super().__init__(422, "validation", f"The {what} is not valid: {many} wrong.", errors=errors)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id; turn whatever is raised into a problem document."""
    request[REQUEST_ID] = secrets.token_hex(8)
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _answer(request, _from_http(request, error))
    except Problem as problem:
        return _answer(request, problem)
    except StreamqError as error:
        return _answer(request, _from_engine(error))
    except Exception:
        log.exception("request %s: %s %s failed", request[REQUEST_ID], request.method, request.path)
        return _answer(request, Problem(500, "internal", "The server failed; its log has the request id."))


def _answer(request: web.Request, problem: Problem) -> web.Response:
    document = {
        "type": f"urn:streamq:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "request_id": request[REQUEST_ID],
        **problem.members,
    }
    return web.Response(
        status=problem.status,
        body=orjson.dumps(document),
        content_type="application/problem+json",
        headers=problem.headers,
    )


def _from_http(request: web.Request, error: web.HTTPException) -> Problem:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        detail = f"{request.method} is not possible here; {allowed} is."
        return Problem(405, "method-not-allowed", detail, headers={"Allow": allowed})
    if error.status == 404:
        return Problem(404, "not-found", f"Nothing is at {request.path}.")
    return Problem(error.status, error.reason.lower().replace(" ", "-"), error.reason)


def _from_engine(error: StreamqError) -> Problem:  # noqa: PLR0911 - a table, as at the top
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
            seconds = str(math.ceil(error.retry_after))
            return Problem(503, error.code, detail, headers={"Retry-After": seconds})
        case _:
            log.error("unexpected engine error: %s: %s", error.code, detail)
            return Problem(500, error.code, "The server failed; its log has the request id.")
