"""Text messages."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ..messaging import sms
from ..messaging.fields import Text
from ..messaging.quiet_hours import zone_of
from ..messaging.segments import segments
from ..messaging.sms import Recipient, SmsMessage
from .messages import MessageRequest, OldRequest, Sent, rules_of, sends


def _is_a_zone(name: str | None) -> str | None:
    try:
        return name if name is None else zone_of(name).key
    except ValueError as error:
        raise PydanticCustomError("zone", "{text}", {"text": str(error)}) from None


class SmsRequest(MessageRequest):
    """A text message: to one recipient, now, after a delay, or at a time.

    `zone` is the recipient's time zone, for quiet hours; an `urgent` one goes out in these, and counts for no cap.
    """

    # In this order: each check across two fields runs at the later one, beside all other errors.
    phone_number: Recipient | None = Field(default=None, alias="phoneNumber")
    to: Recipient | None = Field(default=None, validate_default=True)
    message: Text
    zone: Annotated[str | None, Field(max_length=64), AfterValidator(_is_a_zone)] = None
    urgent: bool = False

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

    @field_validator("phone_number", "to")
    @classmethod
    def _is_a_number(cls, given: str | None, info: ValidationInfo) -> str | None:
        number = None if given is None else rules_of(info).number(given)
        if given is not None and number is None:
            hint = {"hint": "write it with + and the country, as +15550100199"}
            raise PydanticCustomError("number", "is no telephone number", hint)
        return number

    @field_validator("message")
    @classmethod
    def _within_the_limit(cls, message: str, info: ValidationInfo) -> str:
        limit = rules_of(info).max_length
        if len(message) > limit:
            text = f"has {len(message):,} characters, at most {limit:,} are allowed"
            raise PydanticCustomError("too_long", "{text}", {"text": text})
        return message

    def payload(self) -> SmsMessage:
        return SmsMessage.model_construct(
            to=self.to or self.phone_number or "",
            message=self.message,
            workspace_id=self.workspace_id,
            contact_id=self.contact_id,
            metadata=self.metadata or {},
            zone=self.zone,
            urgent=self.urgent,
        )

    def told(self) -> dict[str, Any]:
        takes = segments(self.message)
        return {"encoding": takes.encoding, "segments": takes.parts}


class OldSmsRequest(OldRequest, SmsRequest):
    """A text message, as clients of the predecessor send it."""


class SmsSent(Sent):
    """The job of a message that was taken, and what the text takes on the air."""

    encoding: str
    segments: int


ROUTES: Final = (
    sends("/api/v1/messages/sms", sms.CHANNEL, SmsRequest, SmsSent, "send a text message"),
    sends("/api/schedule-sms", sms.CHANNEL, OldSmsRequest, SmsSent, "send a text message"),
)
