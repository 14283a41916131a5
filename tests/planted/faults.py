"""The bugs: what stands in the code, what is planted in its place, and which tests must notice."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """``sound`` stands exactly once in ``file``; ``tests`` are words for pytest."""

    name: str
    file: str
    sound: str
    planted: str
    tests: str


FAULTS: tuple[Fault, ...] = ()
