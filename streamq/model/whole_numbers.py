"""Numbers of JSON text that are whole and written otherwise, as ``3.0`` or ``1e3``."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError

EXACT: Final = 2.0**53
"""Above it a number with a point does not tell which whole number it means."""
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?', re.DOTALL)


def as_whole(raw: str | bytes, error: ValidationError) -> str | None:
    """The text with whole numbers written as integers, where one that is not is among the errors; else ``None``."""
    told = error.errors(include_url=False, include_context=False)
    return (
        whole_numbers(raw)
        if any(each["type"] == "int_type" and _is_whole(each["input"]) for each in told)
        else None
    )


def _is_whole(given: object) -> bool:
    return type(given) is float and given.is_integer() and abs(given) < EXACT


def whole_numbers(raw: str | bytes) -> str:
    """The same text with all of them written as integers."""
    return _TOKEN.sub(_written, raw if isinstance(raw, str) else raw.decode())


def _written(found: re.Match[str]) -> str:
    token = found[0]
    if token[0] == '"' or not {".", "e", "E"} & set(token):
        return token
    return str(int(number)) if _is_whole(number := float(token)) else token
