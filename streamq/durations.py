"""Durations as people write them: ``90``, ``1.5s``, ``250ms``, ``5m``, ``24h``, ``7d``, or a ``timedelta``."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final

from streamq.model.shown import as_given

Duration = float | timedelta | str
"""Seconds as a number, a ``timedelta``, or text such as ``250ms``, ``1.5s``, ``5m``, ``24h`` and ``7d``."""

LONGEST_WAIT: Final = 366 * 24 * 3600.0
"""Seconds a job may be delayed: a year. A longer time is most likely in the wrong unit."""

LONGEST: Final = 1_000 * 366 * 24 * 3600.0
"""Seconds of any duration: a thousand years, so that a time plus or minus one can be told."""

FORMS: Final = "write seconds, as 90 or 1.5, or a number with its unit, as 250ms, 1.5s, 5m, 24h or 7d"

_TEXT: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h|d)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_of(value: object) -> float:
    """The seconds of a duration, from 0 to a thousand years.

    Raises ``ValueError`` with a sentence that names the forms, for whatever else is given.
    """
    seconds = _seconds(value)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{as_given(value)} is not a duration: {FORMS}")
    if seconds > LONGEST:
        raise ValueError(f"{as_given(value)} is more than a thousand years: {FORMS}")
    return seconds


def seconds_of_setting(value: object) -> float:
    """The same, for a setting: what is in its variable may be a secret put there by mistake, so no error names it."""
    try:
        return seconds_of(value)
    except ValueError:
        raise ValueError(f"it is not a duration: {FORMS}") from None


def _seconds(value: object) -> float:
    """NaN when it is no duration."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        found = _TEXT.fullmatch(value.strip())
        return float(found[1]) * _UNITS[found[2] or "s"] if found else math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # a whole number too large for a float
            return math.inf
    return math.nan
