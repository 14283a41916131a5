"""What a failed record takes beside its payload, made by the engine's own functions: when they change, this does."""

from __future__ import annotations

from typing import Final

from streamq import codec
from streamq.envelope import NO_HEADERS, SUMMARY, Headers, pack_headers, with_error
from streamq.worker.description import TRACEBACK

ATTEMPTS: Final = 5
"""How many a job may spend, by default of the engine."""
BESIDE: Final = 100
"""Bytes of a record's first line, of the name of the task, and of the job's id."""


def longest(attempts: int) -> int:
    """Bytes beside the payload after so many attempts, each with as long a traceback as is kept and a line of text."""
    error = {"type": "E" * 30, "message": "m" * SUMMARY}
    entry = {
        **error, "traceback": "t" * TRACEBACK, "worker": "w" * 30, "started_at": 10**13, "finished_at": 10**13,
    }  # fmt: skip
    headers: Headers = NO_HEADERS
    for attempt in range(1, attempts + 1):
        headers = with_error(headers, {**entry, "attempt": attempt})
    return len(pack_headers({**headers, "attempt": attempts})) + len(codec.dumps(error)) + BESIDE
