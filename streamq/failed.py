"""What a task that is named by ``on_failed`` gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that has failed for good, as the payload of the job that follows it."""

    id: str
    queue: str
    task: str
    error_type: str
    """The type of the last error, such as ``ValueError``, ``TimeLimit`` or ``Crashed``."""
    error: str
    payload: Any = None
    """As JSON has it; ``None`` where it could not be read."""
