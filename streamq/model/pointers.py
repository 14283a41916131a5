"""JSON pointers (RFC 6901): where a value stands in another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def json_pointer(location: Iterable[Any]) -> str:
    """Where a value stands in another, as a JSON Pointer (RFC 6901): ``/items/0/name``; empty for the whole."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def steps_of(pointer: str) -> tuple[str, ...]:
    """The names and numbers of a pointer."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
