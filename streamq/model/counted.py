"""How many of something there are, in words."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """``1 job``, ``2 jobs``, ``1,000 jobs``; ``many`` where it is more than ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
