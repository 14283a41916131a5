"""Durations, rates, sizes, counts and shares as people write them, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import click

T = TypeVar("T")

SECONDS: Final = {
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
BYTES: Final = {
    "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
TIMES: Final = {"k": 1e3, "m": 1e6, "g": 1e9}
_NUMBER: Final = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*([a-zµ%]*)", re.IGNORECASE)


def _split(text: str, allowed: str) -> tuple[float, str]:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not {allowed}")
    return float(found[1].replace("_", "").replace(",", "")), found[2].lower()


def duration(text: str) -> float:
    """Seconds of ``500ms``, ``1.5h``, ``24h``; a bare number is seconds. Raises ``ValueError``."""
    allowed = "a duration: write a number with us, ms, s, m, h or d, like 500ms or 24h"
    number, unit = _split(text, allowed)
    if (unit or "s") not in SECONDS:
        raise ValueError(f"{text!r} is not {allowed}")
    return number * SECONDS[unit or "s"]


def milliseconds(text: str) -> float:
    """Seconds of a duration; a bare number is milliseconds. Raises ``ValueError``."""
    return duration(text if re.search(r"[a-zµ]", text, re.IGNORECASE) else f"{text}ms")


def count(text: str) -> int:
    """``5000000``, ``5_000_000``, ``5,000,000``, ``5M``, ``20k``. Raises ``ValueError``."""
    allowed = "a count: write a whole number, or one with k or M, like 20k or 5M"
    number, unit = _split(text, allowed)
    number *= TIMES.get(unit, 1.0 if not unit else -1.0)
    if number < 0 or number % 1:
        raise ValueError(f"{text!r} is not {allowed}")
    return int(number)


def rate(text: str) -> float:
    """Jobs a second of ``2000/s``, ``120k/min``, ``5M/d``; a bare number is a second's. Raises ``ValueError``."""
    allowed = "a rate above 0: write jobs per s, min, h or d, like 2000/s or 5M/d"
    jobs, _, per = text.partition("/")
    try:
        number, span = count(jobs), SECONDS[per.strip().lower() or "s"]
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is not {allowed}") from None
    if number == 0:
        raise ValueError(f"{text!r} is not {allowed}")
    return number / span


def size(text: str) -> int:
    """Bytes of ``300``, ``2kB`` (1000) or ``2KiB`` (1024). Raises ``ValueError``."""
    allowed = "a size: write bytes, or a number with kB, MB, GB, KiB, MiB or GiB, like 300 or 4GiB"
    number, unit = _split(text, allowed)
    if (unit or "b") not in BYTES:
        raise ValueError(f"{text!r} is not {allowed}")
    return int(number * BYTES[unit or "b"])


def sizes(text: str) -> tuple[int, int]:
    """The least and the most bytes: ``300`` is one size, ``240..360`` all between alike. Raises ``ValueError``."""
    least, dots, most = text.partition("..")
    low, high = size(least), size(most if dots else least)
    if not 0 < low <= high:
        raise ValueError(f"{text!r} is not a payload: write bytes like 300, or least..most like 240..360")
    return low, high


def share(text: str) -> float:
    """``70%`` or ``0.7``: more than 0 and at most 1; ``0`` is allowed. Raises ``ValueError``."""
    allowed = "a share: write 0% to 100%, or 0 to 1"
    number, unit = _split(text, allowed)
    if unit not in {"", "%"} or (number := number / 100 if unit else number) > 1:
        raise ValueError(f"{text!r} is not {allowed}")
    return number


class Unit(click.ParamType[T], Generic[T]):
    """An option that is read by one of the functions above; what they say becomes a usage error."""

    def __init__(self, parse: Callable[[str], T], name: str) -> None:
        self._parse, self.name = parse, name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """The value; one that is no text came through already."""
        if not isinstance(value, str):
            parsed: T = value
            return parsed
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION: Final = Unit(duration, "duration")
MILLISECONDS: Final = Unit(milliseconds, "ms")
RATE: Final = Unit(rate, "rate")
COUNT: Final = Unit(count, "count")
SIZE: Final = Unit(size, "size")
SIZES: Final = Unit(sizes, "bytes")
SHARE: Final = Unit(share, "share")


def shown_seconds(seconds: float) -> str:
    """``80 ms``, ``1.5 s``, ``24 h``."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= length * (2 if length > 1 else 1):
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs" if seconds else "0 s"


def shown_bytes(number: float) -> str:
    """``1.5 GiB``."""
    for unit, length in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= length:
            return f"{number / length:.1f} {unit}"
    return f"{number:.0f} B"
