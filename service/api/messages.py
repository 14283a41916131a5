"""Messages of all channels: what each request has, and what is answered. Each message becomes a job of its channel."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple, cast

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on only

from ..http.answers import Answer
from ..http.auth import Scope
from ..http.inputs import Delay, Instant, Request, one_time
from ..http.problems import Problem, ProblemType
from ..http.route import Asked, Route, Success
from ..json_text import encoded
from ..messaging import ai, callback
from ..messaging.channel import Channel, Enqueue
from ..messaging.fields import ContactId, WorkspaceId
from ..messaging.numbers import Number
from ..settings import ServiceSettings
from ..site import Site
from .idempotency import answered_once
from .jobs import ONCE, REFUSALS, WAITED
from .sent import answer, due_at, ended, place

NO_MESSAGING: Final = ProblemType(404, "no-messaging", "the app that runs here sends no messages")
RULES: Final = "rules"
"""Key of the validation context."""


class Rules(NamedTuple):
    """What settings say of messages."""

    max_length: int
    """Characters a text message may have."""
    max_attachments: int
    """Bytes that the attachments of an e-mail may have together."""
    number: Number
    workspace_id: str | None
    """Of a message that says none."""
    contact_id: str | None
    delay_factor: float
    """Seconds of a delay of 1, at the routes that the predecessor had."""
    callbacks: callback.Rules

    @classmethod
    def of(cls, settings: ServiceSettings, number: Number) -> Rules:
        """Those of the settings."""
        factor = 0.001 if settings.schedule_delay_unit == "ms" else 1.0
        most = settings.sms_max_length, settings.email_max_attachments
        whose = settings.default_workspace_id, settings.default_contact_id
        return cls(*most, number, *whose, factor, ai.callback_rules(settings))


def rules_of(info: ValidationInfo) -> Rules:
    """Those that a validator finds."""
    rules: Rules = (info.context or {})[RULES]
    return rules


class MessageRequest(Request, ABC):
    """What a message of any channel says: of whom it is, and when it is to go out.

    ``delay`` is in seconds, or text with a unit such as ``5m``; the answer's ``due_at`` says how it was understood.
    """

    contact_id: ContactId | None = Field(default=None, alias="contactId")
    workspace_id: WorkspaceId = Field(alias="workspaceId")
    delay: Delay = None
    scheduled_for: Instant = Field(default=None, alias="scheduledFor")
    metadata: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_whom(cls, given: Any, info: ValidationInfo) -> Any:
        """What says no workspace, or no contact, is of those that settings say."""
        rules = rules_of(info)
        known = {"workspaceId": rules.workspace_id, "contactId": rules.contact_id}
        said = {name: value for name, value in known.items() if value is not None}
        return {**said, **given} if said and isinstance(given, dict) else given

    @field_validator("scheduled_for")
    @classmethod
    def _one_time(cls, at: datetime | None, info: ValidationInfo) -> datetime | None:
        return cast("datetime | None", one_time(at, info, "scheduledFor"))

    @abstractmethod
    def payload(self) -> BaseModel:
        """The payload of the task."""

    def told(self) -> dict[str, Any]:
        """What the answer says of the message, beside its job."""
        return {}


class OldRequest(MessageRequest):
    """The same at a route that the predecessor had, whose delays may be milliseconds by a setting."""

    @field_validator("delay", mode="before")
    @classmethod
    def _in_its_unit(cls, given: Any, info: ValidationInfo) -> Any:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return given * rules_of(info).delay_factor if is_number else given


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


async def send(site: Site, asked: Asked[None, MessageRequest], channel: Channel) -> Answer:
    """At once, or at its time; once, where the request has a key."""
    check_channel(site, channel)
    if asked.key is None:
        return await _send(site, asked, channel)
    _, queue, _ = channel.way(asked.body.delay, asked.body.scheduled_for)
    wanted = encoded([channel.name, asked.body.model_dump(mode="json", exclude_unset=True)])
    return await answered_once(site, asked, queue, wanted, partial(_send, site, asked, channel))


def check_channel(site: Site, channel: Channel) -> None:
    """Raise ``Problem`` where the app has no such channel."""
    if not channel.is_of(site.engine):
        raise Problem(NO_MESSAGING, f"The app that runs here has no channel {channel.name}.")


async def _send(
    site: Site, asked: Asked[None, MessageRequest], channel: Channel, enqueue: Enqueue | None = None
) -> Answer:
    body = asked.body
    job, state = await channel.send(
        site.engine, body.payload(), delay=body.delay, at=body.scheduled_for, enqueue=enqueue
    )
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
        **body.told(),
    })  # fmt: skip


def sends(
    path: str, channel: Channel, body: type[MessageRequest], sent: Any, summary: str
) -> Route[Any, Any, Any]:
    """A route that sends messages of a channel."""

    async def handler(site: Site, asked: Asked[None, MessageRequest]) -> Answer:
        return await send(site, asked, channel)

    return Route(
        method="POST", path=path, handler=handler, scope=Scope.WRITE, body=body, makes_a_job=True,
        is_idempotent=True, summary=f"{summary}, at once or at its time; 201 with its job",
        answers=(Success(201, "Its job", sent, ("Location",)), *WAITED),
        problems=(NO_MESSAGING, *ONCE, *REFUSALS),
    )  # fmt: skip
