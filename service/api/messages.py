"""Messages: each becomes a job of the messaging app."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.inputs import Delay, Instant, Request, one_time
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..messaging import sms
from ..messaging.sms import ContactId, Recipient, SmsMessage, Text, WorkspaceId
from ..site import Site
from .jobs import REFUSALS, WAITED
from .sent import answer, due_at, ended, place

NO_MESSAGING: Final = ProblemType(404, "no-messaging", "the app that runs here sends no messages")
MAX_LENGTH: Final = "max_length"
"""Key of the validation context: characters a message may have."""


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
        return cast("datetime | None", one_time(at, info, "scheduledFor"))

    def payload(self) -> SmsMessage:
        """The payload of the task."""
        return SmsMessage.model_construct(
            to=self.to or self.phone_number or "",
            message=self.message,
            workspace_id=self.workspace_id,
            contact_id=self.contact_id,
            metadata=self.metadata or {},
        )


class Sent(TypedDict):
    """The job of a message that was taken."""

    success: bool
    id: str
    jobId: str
    queue: str
    task: str
    state: str
    due_at: str | None
    url: str


async def send_sms(site: Site, asked: Asked[None, SmsRequest]) -> Answer:
    """At once, or at its time."""
    if not sms.is_sent_by(site.engine):
        raise Problem(NO_MESSAGING, "The app that runs here sends no text messages.")
    body = asked.body
    job, state = await sms.send(site.engine, body.payload(), delay=body.delay, at=body.scheduled_for)
    if asked.wait:
        return await ended(site, asked, job)
    return answer(site, job, {
        "success": True,
        "id": job.id,
        "jobId": job.id,
        "queue": job.queue,
        "task": job.task,
        "state": state,
        "due_at": due_at(job, body.delay, body.scheduled_for),
        "url": place(site, job),
    })  # fmt: skip


def _sends_sms(path: str) -> Route[Site, None, SmsRequest]:
    return Route(
        method="POST", path=path, handler=send_sms, scope=Scope.WRITE, body=SmsRequest, makes_a_job=True,
        summary="send a text message, at once or at its time; 201 with its job",
        answers=(Success(201, "Its job", Sent, ("Location",)), *WAITED),
        problems=(NO_MESSAGING, *REFUSALS),
    )  # fmt: skip


ROUTES: Final = (_sends_sms("/api/v1/messages/sms"), _sends_sms("/api/schedule-sms"))
