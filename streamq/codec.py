"""JSON, in the one place that reads and writes it."""

from __future__ import annotations

from typing import Any

import orjson

JSONDecodeError = orjson.JSONDecodeError

loads = orjson.loads
"""Bytes or text to a value. Raises ``JSONDecodeError``."""


def _extra(value: Any) -> Any:
    if hasattr(
        value, "model_dump"
    ):  # a pydantic model; not imported for it, as the command line starts faster
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any) -> bytes:
    """A value to compact JSON on one line; dataclasses, times, UUIDs and pydantic models included.

    Raises ``TypeError`` for what has no JSON form.
    """
    return orjson.dumps(value, default=_extra, option=orjson.OPT_NON_STR_KEYS)
