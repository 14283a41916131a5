"""Text messages: the payload, the task and its two queues.

queue                  task            holds
--------------------   -------------   -------------------------------
send-sms-queue         send-sms        messages to send at once
scheduled-sms-queue    scheduled-sms   messages with a delay or a date
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streamq import App, Backoff, Context, Limit

from ..settings import ServiceSettings
from .channel import Channel
from .fields import ContactId, Text, WorkspaceId, not_blank, printable
from .provider import Endpoint, HttpProvider, Receipt

SMS: Final = "sms"
"""The name of the channel, and where a worker keeps its provider in ``app.state``."""
SEND_QUEUE: Final = "send-sms-queue"
SCHEDULED_QUEUE: Final = "scheduled-sms-queue"
SEND_TASK: Final = "send-sms"
SCHEDULED_TASK: Final = "scheduled-sms"

Recipient = Annotated[
    str,
    Field(max_length=64, description="string of 1 to 64 printable characters"),
    AfterValidator(not_blank),
    AfterValidator(printable),
]
"""Lenient on purpose: short codes and provider aliases are recipients too; the provider decides."""


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


def _options(settings: ServiceSettings) -> dict[str, Any]:
    return {
        "attempts": settings.sms_attempts,
        "backoff": Backoff(base=settings.sms_backoff),
        "timeout": settings.sms_timeout + 5,
    }


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
    SMS, {SEND_TASK: SEND_QUEUE, SCHEDULED_TASK: SCHEDULED_QUEUE}, deliver, _options, _opened, _limit
)
