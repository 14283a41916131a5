"""Versions of a task's payload: a job that an older program sent is upgraded before its payload is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamq.errors import FieldError, InvalidPayload
from streamq.model import codec

Upgrade = Callable[[Any, int], Any]
"""Makes of a payload, as JSON has it, and its version, the payload of the task's version."""


def upgraded(task: str, payload: bytes, was: int, version: int, upgrade: Upgrade) -> bytes:
    """A payload of version ``was`` as one of ``version``. Raises ``InvalidPayload`` when ``upgrade`` fails."""
    try:
        return codec.dumps(upgrade(codec.exact(payload), was))
    except Exception as error:  # code of the program: an older payload that it cannot upgrade never fits
        told = f"upgrade raised {type(error).__name__}: {error}"
        raise InvalidPayload(task, [FieldError("", "upgrade", told)], was, version) from error
