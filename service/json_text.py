"""Writing JSON: any value has a text, so that one that no JSON can hold does not hide the others.

The engine has said already where a payload or a result is nested too deeply (``JobRecord.asdict``). What is left for
here are names and texts of headers, paths, errors and histories, whoever wrote them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic_core import to_json

DEEPEST: Final = 100
"""Levels of a value that are told when it cannot be written as it is."""


def encoded(value: Any) -> bytes:
    """A value as JSON text, with whole numbers of any size. Raises ``ValueError`` when there is none."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a number above 64 bits in somebody's payload or result
        return to_json(value, inf_nan_mode="null")


def told(value: Any) -> bytes:
    """A value as JSON text, what no JSON can hold as text in its place."""
    try:
        return encoded(value)
    except ValueError:  # nested too deeply, or half a character
        return to_json(_writable(value, DEEPEST))


def _writable(value: Any, levels: int) -> Any:
    if levels == 0 and isinstance(value, (Mapping, list, tuple)):
        return f"(nested deeper than {DEEPEST} levels)"
    match value:
        case Mapping():
            return {_text(name): _writable(inner, levels - 1) for name, inner in value.items()}
        case list() | tuple():
            return [_writable(inner, levels - 1) for inner in value]
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
    return _text(value)


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
