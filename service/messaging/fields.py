"""Fields that messages of all channels have."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_EXACT: Final = 2**53 - 1
"""The largest integer every JSON reader keeps exactly."""

MAX_ID: Final = 256
"""Characters of an id."""


def not_blank(value: str) -> str:
    """A check of a field."""
    if not value.strip():
        raise PydanticCustomError("empty", "must not be empty")
    return value


def whole(value: str) -> str:
    """A check of a text: databases and providers cut one off at a character of zero, and nobody would know."""
    if "\0" in value:
        raise PydanticCustomError("zero", "must not contain a character U+0000")
    return value


def printable(value: str) -> str:
    """A check of a field: no line of a header, or of a log, is made by it."""
    if not value.isprintable():
        raise PydanticCustomError("not_printable", "must not contain control characters")
    return value


def _workspace(value: Any) -> str | int | float:
    """A non-empty string or a positive number; whichever came is kept."""
    if isinstance(value, str) and value.strip():
        if len(value) > MAX_ID:
            raise PydanticCustomError("too_long", f"must have at most {MAX_ID} characters")
        return printable(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_EXACT:
        return value
    if isinstance(value, (int, float)) and value > MAX_EXACT and not math.isinf(value):
        message = "is too large a number to be kept exactly"
        raise PydanticCustomError("too_large", message, {"hint": "send it as a string"})
    raise PydanticCustomError("workspace", "must be a non-empty string or a positive number")


Text = Annotated[
    str, Field(description="string, not blank"), AfterValidator(not_blank), AfterValidator(whole)
]
ContactId = Annotated[
    str,
    Field(max_length=MAX_ID, description=f"string of 1 to {MAX_ID} printable characters"),
    AfterValidator(not_blank),
    AfterValidator(printable),
]
WorkspaceId = Annotated[
    str | int | float,
    PlainValidator(_workspace),
    WithJsonSchema(
        {
            "type": ["string", "number"],
            "description": f"string of 1 to {MAX_ID} printable characters, or a positive number",
        }
    ),
]
