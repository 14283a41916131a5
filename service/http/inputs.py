"""What requests may carry. Unknown fields are errors; ``null`` means absent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from streamq import State
from streamq.durations import seconds_of

from .clock import now
from .messaging.sms import ContactId, Recipient, SmsMessage, Text, WorkspaceId

MAX_DELAY: Final = timedelta(days=366)
MAX_LENGTH: Final = "max_length"
"""Key of the validation context: characters a message may have."""

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
_DURATION_HINT: Final = {
    "hint": 'write seconds as a number, such as 90, or text such as "250ms", "1.5s" or "5m"'
}
_TIME_HINT: Final = {"hint": "write it as 2030-01-31T09:00:00Z or 2030-01-31T09:00:00+01:00"}


def _instant(value: Any) -> datetime | None:
    """An RFC 3339 time with its zone, in the future."""
    if value is None:
        return None
    found = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("time", "must be an RFC 3339 time", _TIME_HINT)
    if not found["zone"]:
        raise PydanticCustomError("time_zone", "has no time zone", _TIME_HINT)
    try:
        at = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("time", "is not a time that exists", _TIME_HINT) from error
    ahead = at - now()
    if ahead <= timedelta(0):
        raise PydanticCustomError("past", "is in the past")
    if ahead > MAX_DELAY:
        raise PydanticCustomError("too_far", f"is more than {MAX_DELAY.days} days ahead")
    return at


def _seconds(value: Any) -> Any:
    """A duration as text, which bears its unit: a number in a string is no number here either."""
    if not isinstance(value, str):
        return value
    try:
        return seconds_of(value if value[-1:].isalpha() else None)
    except ValueError:
        raise PydanticCustomError("duration", "is not a duration", _DURATION_HINT) from None


def _near(value: float | None) -> float | None:
    if value is not None and value > MAX_DELAY.total_seconds():
        message = f"is more than {MAX_DELAY.days} days"
        raise PydanticCustomError("too_far", message, {"hint": "it is in seconds, not milliseconds"})
    return value


def _unsupported(value: Any) -> Any:
    if value is not None:
        raise PydanticCustomError("unsupported", "is not supported yet: leave it out")
    return value


def _normal(value: Any) -> Any:
    if value != "normal":
        raise PydanticCustomError("unsupported", "only the priority 'normal' is supported yet")
    return value


def _whole(value: Any) -> Any:
    """A number of a query string, which is text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


Instant = Annotated[datetime | None, PlainValidator(_instant)]
Delay = Annotated[
    float | None, Field(ge=0, allow_inf_nan=False), AfterValidator(_near), BeforeValidator(_seconds)
]
"""Seconds from now, or a duration as text."""
Timeout = Annotated[float | None, Field(gt=0, le=86_400, allow_inf_nan=False), BeforeValidator(_seconds)]
"""Seconds, or a duration as text."""
Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number in a query string."""
Unsupported = Annotated[None, PlainValidator(_unsupported)]


class Request(BaseModel):
    """Strict: a number in a string is not a number."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SmsRequest(Request):
    """A text message: to one recipient, now, after a delay, or at a time.

    ``delay`` is in seconds, or text with a unit such as ``5m``; the answer's ``due_at`` says how it was understood.
    """

    # In this order: each check across two fields runs at the later one, beside all other errors.
    phone_number: Recipient | None = Field(default=None, alias="phoneNumber")
    to: Recipient | None = Field(default=None, validate_default=True)
    message: Text
    contact_id: ContactId | None = Field(default=None, alias="contactId")
    workspace_id: WorkspaceId = Field(alias="workspaceId")
    delay: Delay = None
    scheduled_for: Instant = Field(default=None, alias="scheduledFor")
    metadata: dict[str, Any] | None = None

    @field_validator("to")
    @classmethod
    def _one_recipient(cls, to: str | None, info: ValidationInfo) -> str | None:
        if "phone_number" not in info.data:
            return to
        if to is None and info.data["phone_number"] is None:
            raise PydanticCustomError("missing", "is required")
        if to is not None and info.data["phone_number"] is not None:
            raise PydanticCustomError("ambiguous", "give either to or phoneNumber, not both")
        return to

    @field_validator("message")
    @classmethod
    def _within_the_limit(cls, message: str, info: ValidationInfo) -> str:
        limit = (info.context or {}).get(MAX_LENGTH)
        if limit is not None and len(message) > limit:
            text = f"has {len(message):,} characters, at most {limit:,} are allowed"
            raise PydanticCustomError("too_long", "{text}", {"text": text})
        return message

    @field_validator("scheduled_for")
    @classmethod
    def _one_time(cls, at: datetime | None, info: ValidationInfo) -> datetime | None:
        if at is not None and info.data.get("delay") is not None:
            raise PydanticCustomError("ambiguous", "give either delay or scheduledFor, not both")
        return at

    @property
    def scheduled(self) -> bool:
        """Whether the message waits for its time; a delay of 0 does not."""
        return bool(self.delay) or self.scheduled_for is not None

    def payload(self) -> SmsMessage:
        """The payload of the task."""
        return SmsMessage.model_construct(
            to=self.to or self.phone_number or "",
            message=self.message,
            workspace_id=self.workspace_id,
            contact_id=self.contact_id,
            metadata=self.metadata or {},
        )


class JobRequest(Request):
    """A job of any task. ``delay`` and ``timeout`` are in seconds, or text such as ``5m``.

    What is left out is the task's.
    """

    task: str = Field(min_length=1, max_length=200)
    payload: Any = None
    delay: Delay = None
    at: Instant = None
    attempts: int | None = Field(default=None, ge=1, le=1000)
    timeout: Timeout = None
    priority: Annotated[Literal["normal"], BeforeValidator(_normal)] = "normal"
    key: Unsupported = None
    group: Unsupported = None

    @field_validator("at")
    @classmethod
    def _one_time(cls, at: datetime | None, info: ValidationInfo) -> datetime | None:
        if at is not None and info.data.get("delay") is not None:
            raise PydanticCustomError("ambiguous", "give either delay or at, not both")
        return at


class JobsQuery(Request):
    """Which jobs of a queue to list; without ``state`` all, one state after the other."""

    state: Annotated[State | None, Field(strict=False)] = None
    limit: Annotated[Whole, Field(ge=1, le=200)] = 50
    cursor: str | None = Field(default=None, max_length=200)
