"""Reading a request, each kind of bad input with its own problem: what is said in its headers, and its JSON."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic_core import from_json

from .bodies import read_body
from .fields import Invalid, field_error
from .problems import (
    BAD_IDEMPOTENCY_KEY,
    BAD_IF_MATCH,
    IDEMPOTENCY_KEY,
    MALFORMED_JSON,
    UNSUPPORTED_MEDIA_TYPE,
    WAIT_TOO_LONG,
    Problem,
    cut,
)

MAX_DEPTH: Final = 64
"""Levels that a body may be nested: far more than people write, and far from what any reader of JSON refuses."""
MAX_WAIT: Final = 60
"""Seconds: about as long as proxies keep a request open by default."""

_JSON: Final = re.compile(r"application/(json|[\w.+-]+\+json)", re.IGNORECASE)
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_NESTED: Final = frozenset({dict, list})
_LONG: Final = b"0" * 19
"""Digits of a number that may be above 64 bits,"""
_AS_ZERO: Final = bytes.maketrans(b"123456789", b"0" * 9)
"""once every digit is a zero: this finds them in a quarter of the time that a pattern takes."""
_VERSION: Final = re.compile(r'(?:W/)?"?([0-9]{1,9})(?:-[0-9a-f]{16})?"?')
"""Of a tag; what follows tells states apart, which no change has to name."""
_DIGITS: Final = 9
"""Digits of the longest number that is read."""
_IDEMPOTENCY_KEY: Final = re.compile(r"[ -~]{1,255}")
_PREFERENCE: Final = re.compile(r'(?:[^,"]|"[^"]*"?)+')
"""One of those that commas part, but for commas in quotes."""


def require_json(request: web.Request) -> None:
    """Raise ``Problem`` 415 unless the request says that it is JSON; one without a body says it too.

    Read here: aiohttp has a parser for mail, whose time grows with the parameters in the header.
    """
    said = request.headers.get("Content-Type", "")
    if said == "application/json":  # as nearly all say it
        return
    charset = _CHARSET.search(said)
    if not _JSON.fullmatch(said.partition(";")[0].strip()):
        detail = (
            f"The body must be JSON: send `Content-Type: application/json` (got {cut(said, 100) or 'none'})."
        )
    elif charset is not None and charset[1].lower() not in _UTF_8:
        detail = f"JSON is UTF-8: leave the charset out (got {cut(charset[1], 100)})."
    else:
        return
    raise Problem(UNSUPPORTED_MEDIA_TYPE, detail, headers={"Accept": "application/json"})


async def read_json(request: web.Request, limit: int, *, may_be_empty: bool = False) -> Any:
    """The body as a JSON value of at most ``limit`` bytes; where it may be empty, an empty one is an object without
    members. Raises ``Problem`` 400, 413, 415 or 422."""
    body = await read_body(request, limit)
    if may_be_empty and not body:
        return {}
    try:
        value = orjson.loads(body)
        if _LONG in body.translate(_AS_ZERO):
            value = from_json(body)  # whole numbers above 64 bits stay whole
    except orjson.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        detail = f"{error.msg} at line {line}, column {column}." if body else "The body is empty."
        raise Problem(MALFORMED_JSON, detail, line=line, column=column) from None
    except ValueError as error:  # thousands of digits, or long numbers nested deeper than they are read
        raise Problem(MALFORMED_JSON, f"{error}.", line=1, column=0) from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Invalid([field_error("", "too-deep", f"nested deeper than {MAX_DEPTH} levels")])
    return value


def idempotency_key(request: web.Request, *, taken: bool) -> str | None:
    """The header ``Idempotency-Key``, in quotes or not; None without it.

    Raises ``Problem`` 400 for what cannot be a key, and 422 where none is ``taken``: a promise that cannot be kept is
    not taken silently.
    """
    said = request.headers.get("Idempotency-Key")
    if said is None:
        return None
    if not taken:
        raise Problem(IDEMPOTENCY_KEY, "This route does not take the header Idempotency-Key: leave it out.")
    key = said.strip()
    key = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not _IDEMPOTENCY_KEY.fullmatch(key) or len(request.headers.getall("Idempotency-Key")) > 1:
        detail = f"Idempotency-Key has 1 to 255 letters, digits and signs of ASCII (got {cut(said, 100)})."
        raise Problem(BAD_IDEMPOTENCY_KEY, detail)
    return key


def wait_seconds(request: web.Request) -> int | None:
    """N of ``Prefer: wait=N`` (RFC 7240): of several the first, in any case and in quotes or not.

    None without it, or where N is no whole number: a preference that is not understood is ignored. Raises ``Problem``
    422 above 60.
    """
    if "Prefer" not in request.headers:
        return None
    said = ",".join(request.headers.getall("Prefer"))
    value = next((value for name, value in map(_preference, _PREFERENCE.findall(said)) if name == "wait"), "")
    if not (value.isascii() and value.isdigit()):
        return None
    if len(value) > _DIGITS or int(value) > MAX_WAIT:
        raise Problem(WAIT_TOO_LONG, f"Prefer: wait={cut(value, 20)} is too long: at most {MAX_WAIT} s.")
    return int(value)


def _preference(said: str) -> tuple[str, str]:
    """Its name in small letters and its value, without parameters."""
    name, _, value = said.partition(";")[0].partition("=")
    value = value.strip()
    return name.strip().lower(), value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def expected_version(request: web.Request) -> int | None:
    """The version in ``If-Match`` (RFC 9110); None without it, or where any will do. Raises ``Problem`` 400."""
    said = request.headers.get("If-Match")
    if said is None or said.strip() == "*":
        return None
    found = _VERSION.fullmatch(said.strip())
    if found is None:
        detail = f'If-Match has the version of the job, as If-Match: "3" (got {cut(said, 100)}).'
        raise Problem(BAD_IF_MATCH, detail)
    return int(found[1])


def _depth(value: Any) -> int:
    """Levels of nesting, without recursion: the input is not to be trusted."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        nested = (item.values() if type(item) is dict else item for item in level)
        level = [child for children in nested for child in children if type(child) in _NESTED]
        depth += 1
    return depth
