"""What a failed record takes beside its payload: figures of the engine, compared by a test with a job it has failed."""

from __future__ import annotations

from typing import Final

ATTEMPTS: Final = 5
"""How many a job may spend, by default of the engine."""
ENTRIES: Final = 20
"""Attempts in a history at most."""
TRACED: Final = 4_400
"""Bytes of the first one and of the last, whose tracebacks are kept up to 4,000, with a line of text."""
SUMMARY: Final = 385
"""Bytes of each of those between."""
MOST: Final = 16_384
"""Bytes of a history at most."""
BESIDE: Final = 380
"""Bytes of what else is in a record: its first line, the task, the outcome."""


def longest(attempts: int) -> int:
    """Bytes beside the payload after so many attempts, each with as long a traceback as is kept and a line of text."""
    kept = min(attempts, ENTRIES)
    return BESIDE + min(MOST, min(kept, 2) * TRACED + max(0, kept - 2) * SUMMARY)
