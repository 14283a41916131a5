"""Reading a request: a bounded body, JSON, a model; each kind of bad input gets its own answer.

too many bytes       413 body-too-large, with ``limit_bytes``; sent or unpacked
packed otherwise     415 unsupported-content-encoding; gzip and deflate are understood
broken packing       400 malformed-encoding
not JSON by type     415 unsupported-media-type
not JSON by content  400 malformed-json, with ``line`` and ``column``
not valid            422 validation, with the field errors at once, 50 of them at most
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from .bodies import read_body
from .problems import MOST_ERRORS, Invalid, Problem, cut

M = TypeVar("M", bound=BaseModel)

MAX_BODY: Final = web.AppKey("max_body", int)
MAX_DEPTH: Final = 64
MAX_WAIT: Final = 60

_JSON: Final = re.compile(r"application/(json|[\w.+-]+\+json)", re.IGNORECASE)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_NAME: Final = 64
"""Characters of a field's name for which a near one is searched: a longer one is near to none."""
_LONG: Final = re.compile(rb"[0-9]{19}")
_WAIT: Final = re.compile(r"\bwait\s*=\s*(\d{1,9})")


def require_json(request: web.Request) -> None:
    """Raise ``Problem`` 415 unless the request says that it is JSON; one without a body says it too."""
    _check_type(request.headers.get("Content-Type", ""))


async def read_json(request: web.Request) -> Any:
    """The body as a JSON value. Raises ``Problem`` 400, 413 or 415."""
    require_json(request)
    body = await read_body(request, request.config_dict[MAX_BODY])
    try:
        value = orjson.loads(body)
        return from_json(body) if _LONG.search(body) else value  # whole numbers above 64 bits stay whole
    except orjson.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        detail = f"{error.msg} at line {line}, column {column}." if body else "The body is empty."
        raise Problem(400, "malformed-json", detail, line=line, column=column) from None
    except (
        ValueError
    ) as error:  # a number of thousands of digits, or long numbers nested deeper than they are read
        raise Problem(400, "malformed-json", f"{error}.", line=1, column=0) from None


def _check_type(said: str) -> None:
    """By hand: the parser of aiohttp is one for mails, and takes a header's worth of parameters to heart."""
    charset = _CHARSET.search(said)
    if not _JSON.fullmatch(said.partition(";")[0].strip()):
        detail = (
            f"The body must be JSON: send `Content-Type: application/json` (got {cut(said, 100) or 'none'})."
        )
    elif charset is not None and charset[1].lower() not in _UTF_8:
        detail = f"JSON is UTF-8: leave the charset out (got {cut(charset[1], 100)})."
    else:
        return
    raise Problem(415, "unsupported-media-type", detail, headers={"Accept": "application/json"})


async def read_model(request: web.Request, model: type[M], context: dict[str, Any] | None = None) -> M:
    """The body as a ``model``. Raises ``Problem`` 400, 413, 415 or 422."""
    value = await read_json(request)
    if _depth(value) > MAX_DEPTH:
        raise Invalid([_error("", "too-deep", f"nested deeper than {MAX_DEPTH} levels")])
    return _validated(model, value, "request body", context)


def read_query(request: web.Request, model: type[M]) -> M:
    """The query string as a ``model``. Raises ``Problem`` 422."""
    return _validated(model, dict(request.query), "query string")


def refuse_idempotency_key(request: web.Request) -> None:
    """Raise ``Problem`` 422: a promise that cannot be kept yet is not taken silently."""
    if "Idempotency-Key" in request.headers:
        detail = "The header Idempotency-Key is not supported yet: leave it out."
        raise Problem(422, "idempotency-key-unsupported", detail)


def wait_seconds(request: web.Request) -> int | None:
    """N of ``Prefer: wait=N`` (RFC 7240); None without it. Raises ``Problem`` 422 above 60."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    if found is None:
        return None
    if (seconds := int(found[1])) > MAX_WAIT:
        raise Problem(422, "wait-too-long", f"Prefer: wait={seconds} is too long: at most {MAX_WAIT} s.")
    return seconds


def _depth(value: Any) -> int:
    """Levels of nesting, without recursion: the input is not to be trusted."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        level = [child for item in level for child in _children(item)]
        depth += 1
    return depth


def _children(item: Any) -> Iterable[Any]:
    values = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return (value for value in values if isinstance(value, (dict, list)))


def _validated(model: type[M], value: Any, what: str, context: dict[str, Any] | None = None) -> M:
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        known = [field.alias or name for name, field in model.model_fields.items()]
        errors = error.errors(include_url=False, include_input=False)
        told = [_field_error(e, known) for e in errors[:MOST_ERRORS]]
        raise Invalid(told, what, count=len(errors)) from None


def _field_error(error: Any, known: list[str]) -> dict[str, str]:
    location, code = error["loc"], error["type"]
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)
    match code:
        case "extra_forbidden":
            name = str(location[-1])
            near = difflib.get_close_matches(name, known, n=1) if len(name) <= _NAME else []
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            return _error(pointer, "unknown-field", "is not a known field", hint)
        case "missing":
            return _error(pointer, "missing", "is required")
        case "model_type":
            return _error(pointer, "type", "must be a JSON object")
    hint = (error.get("ctx") or {}).get("hint", "")
    return _error(pointer, code.replace("_", "-"), error["msg"].removeprefix("Input ").rstrip("."), hint)


def _error(pointer: str, code: str, message: str, hint: str = "") -> dict[str, str]:
    error = {"pointer": pointer, "code": code, "message": message}
    return {**error, "hint": hint} if hint else error
