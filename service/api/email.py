"""E-mail."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ..http.inputs import said
from ..messaging import email
from ..messaging.addresses import normal_address
from ..messaging.email import Attachment, EmailMessage, each_once
from ..messaging.fields import Text, printable, whole
from ..messaging.unsubscribe import End
from .messages import MessageRequest, OldRequest, Sent, rules_of, sends


def _normal(value: str) -> str:
    try:
        return normal_address(value)
    except ValueError as error:
        hint = {"hint": "write one as ada@example.com", "text": str(error)}
        raise PydanticCustomError("address", "is no address of e-mail: {text}", hint) from None


def _each(value: Any) -> Any:
    """One recipient is a list of one, and what is wrong with it is wrong with all there is."""
    return [_normal(printable(value))] if isinstance(value, str) else value


Address = Annotated[str, Field(max_length=320), AfterValidator(printable), AfterValidator(_normal)]


class EmailRequest(MessageRequest):
    """An e-mail: to one recipient or to some, now, after a delay, or at a time."""

    to: Annotated[
        list[Address],
        Field(min_length=1, max_length=50),
        BeforeValidator(_each),
        AfterValidator(each_once),
        said("string or list of strings: addresses of e-mail, 1 to 50", "string", "array"),
    ]
    subject: Annotated[str, Field(max_length=998), AfterValidator(printable)]
    html: Text
    text: Annotated[str, AfterValidator(whole)] | None = None
    attachments: Annotated[
        list[Attachment],
        Field(max_length=20),
        said("list of at most 20 objects: `name`, `type` and `content`, in base64", "array"),
    ] = Field(default_factory=list)
    unsubscribe: End | None = None

    @field_validator("attachments")
    @classmethod
    def _within_the_limit(cls, given: list[Attachment], info: ValidationInfo) -> list[Attachment]:
        limit, size = rules_of(info).max_attachments, sum(3 * len(each.content) // 4 for each in given)
        if size > limit:
            text = f"have {size:,} bytes together, at most {limit:,} are allowed"
            raise PydanticCustomError("too_large", "{text}", {"text": text})
        return given

    def payload(self) -> EmailMessage:
        return EmailMessage.model_construct(
            to=self.to,
            subject=self.subject,
            html=self.html,
            text=self.text,
            workspace_id=self.workspace_id,
            contact_id=self.contact_id,
            metadata=self.metadata or {},
            attachments=self.attachments,
            unsubscribe=self.unsubscribe,
        )


class OldEmailRequest(OldRequest, EmailRequest):
    """An e-mail, as clients of the predecessor send it."""


ROUTES: Final = (
    sends("/api/v1/messages/email", email.CHANNEL, EmailRequest, Sent, "send an e-mail"),
    sends("/api/schedule-email", email.CHANNEL, OldEmailRequest, Sent, "send an e-mail"),
)
