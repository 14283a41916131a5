"""JSON, in the one place that reads and writes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

JSONDecodeError = orjson.JSONDecodeError

loads = orjson.loads
"""Bytes or text to a value. Raises ``JSONDecodeError``. A whole number above 64 bits becomes a float: see ``exact``."""

Fragment = orjson.Fragment
"""JSON text inside a value to write."""

_STRICT: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def exact(raw: bytes | str) -> Any:
    """Like ``loads``, with whole numbers of any size as they are."""
    from pydantic_core import from_json  # noqa: PLC0415  # the command line starts faster without it

    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError:  # not JSON, which the other one says better; or nested more than 200 levels deep
        return loads(raw)


def _extra(value: Any) -> Any:
    if hasattr(
        value, "model_dump"
    ):  # a pydantic model; not imported for it, as the command line starts faster
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def dumps(value: Any, default: Callable[[Any], Any] = _extra) -> bytes:
    """A value to compact JSON on one line; dataclasses, times, UUIDs, pydantic models and long numbers included.

    Raises ``TypeError`` for what has no JSON form.
    """
    try:
        return orjson.dumps(value, default=default, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        if "64-bit" not in str(error):
            raise
        return written(value)


def plain(value: Any) -> bytes:
    """JSON of a value that consists of what JSON has. Raises ``TypeError`` for other types.

    Not all are noticed: tuples, UUIDs, enums and NaN are written as something else. The bytes take no more memory
    than they are long: orjson's own keep a buffer of up to 4 KB each, too much for half a million that wait.
    """
    return b"%b" % orjson.dumps(value, option=_STRICT)


def written(value: Any) -> bytes:
    """JSON of whatever pydantic can write; NaN and infinity as text. Raises ``TypeError`` for the rest."""
    from pydantic_core import PydanticSerializationError, to_json  # noqa: PLC0415  # the same

    try:
        return to_json(value, by_alias=False, inf_nan_mode="strings")
    except PydanticSerializationError as error:
        raise TypeError(str(error)) from None


def storable(value: Any) -> bytes:
    """JSON of whatever can be written, NaN and infinity as text. Raises ``TypeError`` for the rest."""
    try:
        raw = orjson.dumps(value, option=_STRICT)
    except TypeError:
        return written(value)
    return written(value) if b"null" in raw else raw
