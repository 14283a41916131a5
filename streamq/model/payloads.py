"""What an encoded payload must be, to be sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, TypeVar

from streamq.errors import FieldError, InvalidPayload, PayloadTooLarge
from streamq.model import codec

T = TypeVar("T")


def one_by_one(make: Callable[[Any], T], many: Iterable[Any]) -> Iterator[T]:
    """What ``make`` makes of each payload. What it raises for a wrong one tells its place."""
    for place, payload in enumerate(many):
        try:
            yield make(payload)
        except (InvalidPayload, PayloadTooLarge) as error:
            raise error.of_many(place) from None


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
