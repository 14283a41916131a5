"""``Retry-After`` (RFC 9110): a number of seconds, or a date in one of the three forms that HTTP has had."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from ..clock import now

_SECONDS: Final = re.compile("[0-9]{1,10}")
"""Ten digits are three hundred years: more are a mistake."""


def asked_wait(values: Iterable[str]) -> float | None:
    """Seconds to wait by all headers of that name: the longest that can be read, None when none can."""
    return max((wait for value in values if (wait := parse_retry_after(value)) is not None), default=None)


def parse_retry_after(value: str) -> float | None:
    """Seconds to wait; 0 for a date in the past, None for what is neither a number of seconds nor a date."""
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        at = parsedate_to_datetime(text.replace(":60", ":59"))  # a leap second, which no datetime has
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now()).total_seconds())
