"""JSON, in the one place that reads and writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, Literal

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
    except ValueError:  # not JSON: orjson's error is clearer; or nested more than 200 levels deep
        return loads(raw)


def all_of(raw: bytes) -> Any:
    """As ``exact``, at the price of ``loads`` where no number is so long."""
    return exact(raw) if _LONG_NUMBER.search(raw) else loads(raw)


def canonical(value: Any) -> str:
    """What JSON has as text that is the same for the same: the members of objects have no order."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # a number above 64 bits
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")
"""Nineteen digits are the fewest of a number above 64 bits."""


def _extra(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # a pydantic model: the command line starts faster without importing it
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


def written(value: Any, non_finite: Literal["strings", "constants"] = "strings") -> bytes:
    """JSON of whatever pydantic can write. Raises ``TypeError`` for the rest.

    NaN and infinity are written as text, or as constants that are no JSON.
    """
    from pydantic_core import PydanticSerializationError, to_json  # noqa: PLC0415  # as in exact

    try:
        return to_json(value, by_alias=False, inf_nan_mode=non_finite)
    except PydanticSerializationError as error:
        raise TypeError(str(error)) from None


def storable(value: Any) -> bytes:
    """JSON of whatever can be written, NaN and infinity as text. Raises ``TypeError`` for the rest."""
    try:
        raw = orjson.dumps(value, option=_STRICT)
    except TypeError:
        return written(value)
    return written(value) if b"null" in raw else raw


# -- what every reader can read, and every list can show -------------------------------------------------------------

LEVELS: Final = 200
"""Levels of nesting that may be written: pydantic reads little more, and a list of jobs adds some of its own."""
SHORT: Final = 2 * LEVELS
"""Bytes of JSON that cannot be nested more deeply than that, nor have more digits than may be written."""
DIGITS: Final = 4_300
"""Digits that a written whole number may have: Python's default limit for reading one."""
TOO_DEEP: Final = f"(not shown: nested more than {LEVELS} levels deep)"
"""Shown in the place of a value of another program that is nested too deep for a list."""

_RUN: Final = re.compile(rb"[0-9]*")


def unreadable(raw: bytes) -> str:
    """Why written JSON could not be read again, or shown in a list; empty when it can."""
    if too_deep(raw):
        return f"it is nested more than {LEVELS} levels deep, and no more can be read again"
    if len(raw) > DIGITS and _has_many_digits(raw) and "number out of range" in _refusal(raw):
        return (
            f"a number in it has more than {DIGITS:,} digits, and no more can be read again: send it as text"
        )
    return ""


def too_deep(raw: bytes) -> bool:
    """Whether JSON is nested more than ``LEVELS`` levels deep."""
    # most is too short for that, or has too few brackets: no parser is needed
    if len(raw) <= SHORT or raw.count(b"[") + raw.count(b"{") <= LEVELS:
        return False
    return "recursion limit" in _refusal(raw)


def _refusal(raw: bytes) -> str:
    """The error of pydantic's reader; empty when it reads the JSON."""
    from pydantic_core import from_json  # noqa: PLC0415  # as in exact

    try:
        from_json(raw)
    except ValueError as error:
        return str(error)
    return ""


def _has_many_digits(raw: bytes) -> bool:
    """Whether more than ``DIGITS`` digits stand in a row: each such row has one of every ``DIGITS`` bytes."""
    for at in range(0, len(raw), DIGITS):
        found = _RUN.match(raw, at)
        ahead = found.end() - at if found else 0
        if ahead and ahead + _digits_before(raw, at) > DIGITS:
            return True
    return False


def _digits_before(raw: bytes, at: int) -> int:
    before = raw[max(0, at - DIGITS) : at]
    return len(before) - len(before.rstrip(b"0123456789"))
