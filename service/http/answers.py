"""Writing an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic_core import to_json

DEEPEST: Final = 100
"""Levels of a value that are told when it cannot be written as it is."""


def json(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value as JSON. What no JSON can hold is told as text, so that one such record does not hide the others."""
    try:
        body = encoded(value)
    except ValueError:  # nested too deeply, or half a character
        body = to_json(_writable(value, DEEPEST))
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def encoded(value: Any) -> bytes:
    """A value as JSON text, with whole numbers of any size. Raises ``ValueError`` when there is none."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a number above 64 bits in somebody's payload or result
        return to_json(value, inf_nan_mode="null")


def _writable(value: Any, levels: int) -> Any:
    if levels == 0 and isinstance(value, (dict, list, tuple)):
        return f"(nested deeper than {DEEPEST} levels)"
    match value:
        case dict():
            return {_text(name): _writable(inner, levels - 1) for name, inner in value.items()}
        case list() | tuple():
            return [_writable(inner, levels - 1) for inner in value]
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case _:
            return _text(value)


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
