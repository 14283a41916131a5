"""Rates, sizes, counts and shares as people write them, and back. Durations are read as the engine reads them.

The readers are types of options: what is none raises ``click.BadParameter``, which says what is allowed.
"""

# ruff: noqa: PLC0415 - pydantic is imported when a size is shown, so that help is instant

from __future__ import annotations

import re
from typing import Final

import click

from streamq.durations import seconds_of

TIMES: Final = {"": 1, "k": 1e3, "m": 1e6}
BYTES: Final = {
    "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_NUMBER: Final = re.compile(r"([0-9][0-9_,]*(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z%]?)", re.IGNORECASE)


def _read(text: str, units: dict[str, float], allowed: str) -> float:
    found = _NUMBER.fullmatch(text.strip())
    if found is None or found[2].lower() not in units:
        raise click.BadParameter(f"{text!r} is not {allowed}")
    return float(re.sub("[_,]", "", found[1])) * units[found[2].lower()]


def milliseconds(text: str) -> float:
    """Seconds of a duration; a bare number is milliseconds."""
    try:
        return seconds_of(text if re.search("[a-z]", text) else f"{text.strip()}ms")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def count(text: str) -> int:
    """``5000000``, ``5_000_000``, ``5,000,000``, ``5M``, ``20k``."""
    allowed = "a count: write a whole number, or one with k or M, like 20k or 5M"
    number = _read(text, TIMES, allowed)
    if number % 1:
        raise click.BadParameter(f"{text!r} is not {allowed}")
    return int(number)


def rate(text: str) -> float:
    """Jobs a second of ``2000/s``, ``120k/min``, ``5M/d``; a bare number is a second's."""
    jobs, _, span = text.partition("/")
    try:
        found = count(jobs) / seconds_of(f"1{span.strip().replace('min', 'm') or 's'}")
    except (click.BadParameter, ValueError):
        found = 0.0
    if not found:
        allowed = "a rate above 0: write jobs per s, min, h or d, like 2000/s or 5M/d"
        raise click.BadParameter(f"{text!r} is not {allowed}")
    return found


def size(text: str) -> int:
    """Bytes of ``300``, ``2kB`` (1000) or ``2KiB`` (1024)."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?\s*", text.lower())
    if found is None or (found[2] or "b") not in BYTES:
        allowed = "a size: write bytes, or with kB, MB, GB, KiB, MiB or GiB, like 300 or 4GiB"
        raise click.BadParameter(f"{text!r} is not {allowed}")
    return int(float(found[1]) * BYTES[found[2] or "b"])


def sizes(text: str) -> tuple[int, int]:
    """The least and the most bytes: ``300`` is one size, ``240..360`` all between alike."""
    least, dots, most = text.partition("..")
    low, high = size(least), size(most if dots else least)
    if not 0 < low <= high:
        allowed = "a payload: write bytes like 300, or least..most like 240..360"
        raise click.BadParameter(f"{text!r} is not {allowed}")
    return low, high


def share(text: str) -> float:
    """``70%`` or ``0.7``, from 0 to 1."""
    allowed = "a share: write 0% to 100%, or 0 to 1"
    number = _read(text, {"": 1.0, "%": 0.01}, allowed)
    if number > 1:
        raise click.BadParameter(f"{text!r} is not {allowed}")
    return number


def shown_seconds(seconds: float) -> str:
    """``80 ms``, ``1.5 s``, ``24 h``."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= length * (2 if length > 1 else 1):
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs" if seconds else "0 s"


def shown_bytes(number: float) -> str:
    """``1.5 GiB``."""
    from pydantic import ByteSize

    return ByteSize(number).human_readable(separator=" ")
