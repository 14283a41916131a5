"""What one planted bug is."""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """``sound`` stands exactly once in ``file`` and is replaced by ``planted``; ``tests`` are words for pytest."""

    name: str
    file: str
    sound: str
    planted: str
    tests: str
