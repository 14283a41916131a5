"""Text messages: the payload, the task and its two queues.

queue                  task            holds
--------------------   -------------   -------------------------------
send-sms-queue         send-sms        messages to send at once
scheduled-sms-queue    scheduled-sms   messages with a delay or a date
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from streamq import App, Backoff, Context, Job, Limit, State

from ..settings import ServiceSettings
from .channel import Channel
from .provider import Endpoint, HttpProvider, Receipt

SMS: Final = "sms"
"""The name of the channel, and where a worker keeps its provider in ``app.state``."""
SEND_QUEUE: Final = "send-sms-queue"
SCHEDULED_QUEUE: Final = "scheduled-sms-queue"
SEND_TASK: Final = "send-sms"
SCHEDULED_TASK: Final = "scheduled-sms"

MAX_EXACT: Final = 2**53 - 1
"""The largest integer every JSON reader keeps exactly."""


def _not_blank(value: str) -> str:
    if not value.strip():
        raise PydanticCustomError("empty", "must not be empty")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise PydanticCustomError("not_printable", "must not contain control characters")
    return value


def _workspace(value: Any) -> str | int | float:
    """A non-empty string or a positive number; whichever came is kept."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= MAX_EXACT:
        return value
    if isinstance(value, (int, float)) and value > MAX_EXACT and not math.isinf(value):
        message = "is too large a number to be kept exactly"
        raise PydanticCustomError("too_large", message, {"hint": "send it as a string"})
    raise PydanticCustomError("workspace", "must be a non-empty string or a positive number")


Text = Annotated[str, Field(description="string, not blank"), AfterValidator(_not_blank)]
Recipient = Annotated[
    str,
    Field(max_length=64, description="string of 1 to 64 printable characters"),
    AfterValidator(_not_blank),
    AfterValidator(_printable),
]
"""Lenient on purpose: short codes and provider aliases are recipients too; the provider decides."""
ContactId = Annotated[
    str, Field(max_length=256, description="string of 1 to 256 characters"), AfterValidator(_not_blank)
]
WorkspaceId = Annotated[
    str | int | float,
    PlainValidator(_workspace),
    WithJsonSchema({"type": ["string", "number"], "description": "string, not blank, or a positive number"}),
]


class SmsMessage(BaseModel):
    """The payload of both tasks. ``workspace_id`` keeps its JSON type all the way to the provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    to: Recipient
    message: Text
    workspace_id: WorkspaceId
    contact_id: ContactId | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)


async def deliver(message: SmsMessage, ctx: Context) -> Receipt:
    """Hand one message to the provider, under a key that is equal on every attempt."""
    provider: HttpProvider = ctx.app.state[SMS]
    return await provider.send(_body(message), key=ctx.idempotency_key, attempt=ctx.attempt)


def _body(message: SmsMessage) -> dict[str, Any]:
    """What the provider receives: metadata beside the four named fields, never instead of them."""
    named = {"to", "message", "contactId", "workspaceId"}
    contact = {"contactId": message.contact_id} if message.contact_id is not None else {}
    return {
        "to": message.to,
        "message": message.message,
        **contact,
        "workspaceId": message.workspace_id,
        **{name: value for name, value in message.metadata.items() if name not in named},
    }


async def send(
    app: App, message: SmsMessage, *, delay: float | None = None, at: datetime | None = None
) -> tuple[Job[Receipt], State]:
    """Enqueue a message on the queue for it, and return its state there; a delay of 0 means at once.

    Raises what ``App.enqueue`` does.
    """
    if delay or at is not None:
        job = await app.enqueue(SCHEDULED_QUEUE, SCHEDULED_TASK, message, delay=delay, at=at)
        return job, State.DELAYED
    return await app.enqueue(SEND_QUEUE, SEND_TASK, message), State.WAITING


def _register(app: App, settings: ServiceSettings) -> None:
    for name, queue in CHANNEL.tasks.items():
        app.task(
            name=name,
            queue=queue,
            attempts=settings.sms_attempts,
            backoff=Backoff(base=settings.sms_backoff),
            timeout=settings.sms_timeout + 5,
        )(deliver)


@asynccontextmanager
async def _opened(app: App, settings: ServiceSettings) -> AsyncIterator[None]:
    async with HttpProvider(endpoint(settings), app.notes) as provider:
        app.state[SMS] = provider
        yield


def endpoint(settings: ServiceSettings) -> Endpoint:
    """Where text messages go."""
    return Endpoint(
        SMS, "SMS_API_URL", settings.secret("sms_api_url"), "send-sms",
        settings.sms_timeout, settings.sms_backoff, settings.sms_max_retry_after,
    )  # fmt: skip


def _limit(settings: ServiceSettings) -> Limit:
    return Limit(concurrency=settings.sms_concurrency, rate=settings.sms_rate)


CHANNEL: Final = Channel(
    SMS, {SEND_TASK: SEND_QUEUE, SCHEDULED_TASK: SCHEDULED_QUEUE}, _register, _opened, _limit
)
