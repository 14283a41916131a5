"""Rates, sizes, counts and shares as people write them, and back. Durations are read as the engine reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import click

from streamq.durations import seconds_of

T = TypeVar("T")

BYTES: Final = {
    "": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
TIMES: Final = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9}
_NUMBER: Final = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z%]*)", re.IGNORECASE)


def _read(text: str, units: dict[str, float], allowed: str) -> float:
    found = _NUMBER.fullmatch(text.strip())
    unit = units.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError(f"{text!r} is not {allowed}")
    return float(found[1].replace("_", "").replace(",", "")) * unit


def milliseconds(text: str) -> float:
    """Seconds of a duration; a bare number is milliseconds. Raises ``ValueError``."""
    return seconds_of(text if re.search("[a-z]", text) else f"{text.strip()}ms")


def count(text: str) -> int:
    """``5000000``, ``5_000_000``, ``5,000,000``, ``5M``, ``20k``. Raises ``ValueError``."""
    allowed = "a count: write a whole number, or one with k or M, like 20k or 5M"
    number = _read(text, TIMES, allowed)
    if number % 1:
        raise ValueError(f"{text!r} is not {allowed}")
    return int(number)


def rate(text: str) -> float:
    """Jobs a second of ``2000/s``, ``120k/min``, ``5M/d``; a bare number is a second's. Raises ``ValueError``."""
    jobs, _, span = text.partition("/")
    try:
        found = count(jobs) / seconds_of(f"1{span.strip().replace('min', 'm') or 's'}")
    except ValueError:
        found = 0.0
    if not found:
        raise ValueError(
            f"{text!r} is not a rate above 0: write jobs per s, min, h or d, like 2000/s or 5M/d"
        )
    return found


def size(text: str) -> int:
    """Bytes of ``300``, ``2kB`` (1000) or ``2KiB`` (1024). Raises ``ValueError``."""
    return int(
        _read(text, BYTES, "a size: write bytes, or with kB, MB, GB, KiB, MiB or GiB, like 300 or 4GiB")
    )


def sizes(text: str) -> tuple[int, int]:
    """The least and the most bytes: ``300`` is one size, ``240..360`` all between alike. Raises ``ValueError``."""
    least, dots, most = text.partition("..")
    low, high = size(least), size(most if dots else least)
    if not 0 < low <= high:
        raise ValueError(f"{text!r} is not a payload: write bytes like 300, or least..most like 240..360")
    return low, high


def share(text: str) -> float:
    """``70%`` or ``0.7``, from 0 to 1. Raises ``ValueError``."""
    allowed = "a share: write 0% to 100%, or 0 to 1"
    number = _read(text, {"": 1.0, "%": 0.01}, allowed)
    if number > 1:
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
