"""``Retry-After`` (RFC 9110): a number of seconds, or a date in one of the three forms that HTTP has had."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from streamq.model.clock import host_now

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH: Final = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME: Final = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES: Final = (
    re.compile(rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]+day, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
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
    for form in _DATES:
        if found := form.fullmatch(text):
            return _until(found)
    return None


def _until(found: re.Match[str]) -> float | None:
    today = host_now()
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += today.year // 100 * 100
        if year > today.year + 50:  # as the RFC says: no date is so far ahead
            year -= 100
    second = min(int(found["second"]), 59) if found["second"] == "60" else int(found["second"])
    month = _MONTHS.index(found["month"]) + 1
    try:
        at = datetime(
            year, month, int(found["day"]), int(found["hour"]), int(found["minute"]), second, tzinfo=UTC
        )
    except ValueError:  # the 31st of February
        return None
    return max(0.0, (at - today).total_seconds())
