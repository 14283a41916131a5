"""What an encoded payload must be, to be sent."""

from __future__ import annotations

from collections.abc import Collection

from streamq.errors import FieldError, InvalidPayload, PayloadTooLarge
from streamq.model import codec


def check_payload(task: str, encoded: bytes, limit: int) -> None:
    """Raise ``InvalidPayload`` for one that could not be read again, ``PayloadTooLarge`` above ``limit`` bytes."""
    if len(encoded) > codec.SHORT and (problem := codec.unreadable(encoded)):
        raise InvalidPayload(task, [FieldError("", "not-readable", problem)])
    if len(encoded) > limit:
        raise PayloadTooLarge(task, len(encoded), limit)


def check_payloads(task: str, encoded: Collection[bytes], limit: int) -> None:
    """The same of many, of which most are so short that none is looked at."""
    if max(map(len, encoded), default=0) > min(limit, codec.SHORT):
        for each in encoded:
            check_payload(task, each, limit)
