"""Messages: each becomes a job of the messaging app."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.inputs import Delay, Instant, Request, one_time
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..messaging import sms
from ..messaging.numbers import Number
from ..messaging.segments import segments
from ..messaging.sms import ContactId, Recipient, SmsMessage, Text, WorkspaceId
from ..settings import ServiceSettings
from ..site import Site
from .jobs import REFUSALS, WAITED
from .sent import answer, due_at, ended, place

NO_MESSAGING: Final = ProblemType(404, "no-messaging", "the app that runs here sends no messages")
RULES: Final = "rules"
"""Key of the validation context."""


class Rules(NamedTuple):
    """What settings say of messages."""

    max_length: int
    """Characters a text message may have."""
    number: Number
    workspace_id: str | None
    """Of a message that says none."""
    contact_id: str | None
    delay_factor: float
    """Seconds of a delay of 1, at the routes that the predecessor had."""

    @classmethod
    def of(cls, settings: ServiceSettings, number: Number) -> Rules:
        """Those of the settings."""
        factor = 0.001 if settings.schedule_delay_unit == "ms" else 1.0
        workspace, contact = settings.default_workspace_id, settings.default_contact_id
        return cls(settings.sms_max_length, number, workspace, contact, factor)


def _rules(info: ValidationInfo) -> Rules:
    rules: Rules = (info.context or {})[RULES]
    return rules


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

    @model_validator(mode="before")
    @classmethod
    def _of_whom(cls, given: Any, info: ValidationInfo) -> Any:
        """What says no workspace, or no contact, is of those that settings say."""
        rules = _rules(info)
        known = {"workspaceId": rules.workspace_id, "contactId": rules.contact_id}
        said = {name: value for name, value in known.items() if value is not None}
        return {**said, **given} if said and isinstance(given, dict) else given

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
        number = None if given is None else _rules(info).number(given)
        if given is not None and number is None:
            hint = {"hint": "write it with + and the country, as +15550100199"}
            raise PydanticCustomError("number", "is no telephone number", hint)
        return number

    @field_validator("message")
    @classmethod
    def _within_the_limit(cls, message: str, info: ValidationInfo) -> str:
        limit = _rules(info).max_length
        if len(message) > limit:
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


class OldSmsRequest(SmsRequest):
    """The same at the route that the predecessor had, whose delays may be milliseconds by a setting."""

    @field_validator("delay", mode="before")
    @classmethod
    def _in_its_unit(cls, given: Any, info: ValidationInfo) -> Any:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return given * _rules(info).delay_factor if is_number else given


class Sent(TypedDict):
    """The job of a message that was taken, and what the text takes on the air."""

    success: bool
    id: str
    jobId: str
    queue: str
    task: str
    state: str
    due_at: str | None
    url: str
    encoding: str
    segments: int


async def send_sms(site: Site, asked: Asked[None, SmsRequest]) -> Answer:
    """At once, or at its time."""
    if not sms.CHANNEL.is_of(site.engine):
        raise Problem(NO_MESSAGING, "The app that runs here sends no text messages.")
    body = asked.body
    job, state = await sms.send(site.engine, body.payload(), delay=body.delay, at=body.scheduled_for)
    if asked.wait:
        return await ended(site, asked, job)
    takes = segments(body.message)
    return answer(site, job, {
        "success": True,
        "id": job.id,
        "jobId": job.id,
        "queue": job.queue,
        "task": job.task,
        "state": state,
        "due_at": due_at(job, body.delay, body.scheduled_for),
        "url": place(site, job),
        "encoding": takes.encoding,
        "segments": takes.parts,
    })  # fmt: skip


def _sends_sms(path: str, body: type[SmsRequest]) -> Route[Site, None, SmsRequest]:
    return Route(
        method="POST", path=path, handler=send_sms, scope=Scope.WRITE, body=body, makes_a_job=True,
        summary="send a text message, at once or at its time; 201 with its job",
        answers=(Success(201, "Its job", Sent, ("Location",)), *WAITED),
        problems=(NO_MESSAGING, *REFUSALS),
    )  # fmt: skip


ROUTES: Final = (
    _sends_sms("/api/v1/messages/sms", SmsRequest),
    _sends_sms("/api/schedule-sms", OldSmsRequest),
)
