"""Text messages: the payload, the task and its two queues.

queue                  task            holds
--------------------   -------------   -------------------------------
send-sms-queue         send-sms        messages to send at once
scheduled-sms-queue    scheduled-sms   messages with a delay or a date
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from streamq import App, Backoff, ConfigurationError, Context, Limit, Notes, Rate

from ..settings import ServiceSettings
from .allowed import ALLOWED, Allowed
from .allowed import Recipient as To
from .channel import Channel
from .delivery import Deliveries
from .fields import ContactId, Text, WorkspaceId, not_blank, printable
from .figures import figures_of
from .formats import form_of
from .formats.form import Form
from .outgoing import Message, Outgoing
from .provider import Endpoint, HttpProvider, Receipt
from .provider_rate import ProviderRates, read_rates

SMS: Final = "sms"
"""The name of the channel, and where a worker keeps its way out in ``app.state``."""
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
    zone: str | None = None
    """The time zone of the recipient, as Europe/Berlin, for quiet hours."""
    urgent: bool = False
    """Goes out in quiet hours too, and counts for no cap: a code to log in with."""


async def deliver(message: SmsMessage, ctx: Context) -> Receipt:
    """Hand one message to a provider, under a key that is equal on every attempt."""
    allowed: Allowed = ctx.app.state[ALLOWED]
    to = To(SMS, message.to, message.workspace_id, message.contact_id)
    await allowed.check(to)
    if not message.urgent:
        allowed.check_hours(to, message.zone)
        await allowed.check_cap(to, ctx.idempotency_key)
    outgoing: Outgoing[HttpProvider] = ctx.app.state[SMS]
    body, key = _body(message), ctx.idempotency_key

    async def give(provider: HttpProvider) -> Receipt:
        return await provider.send(body, key=key, attempt=ctx.attempt)

    return await outgoing.send(Message(key, message.workspace_id, ctx.attempt >= ctx.attempts), give)


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
        # As long as all providers may take, one after the other, and the question whether one has taken it before.
        "timeout": (settings.sms_timeout + 5) * (1 + len(settings.secret("sms_api_url").split())),
    }


def forms_of(settings: ServiceSettings) -> list[Form]:
    """The forms of the providers, the first one in front. Raises ``ConfigurationError``."""
    urls = settings.secret("sms_api_url").split() or [""]
    secret, public = settings.secret("sms_report_secret"), settings.public_url.rstrip("/")
    forms = [form_of(url, "send-sms", secret, public) for url in urls]
    names = [form.address.name for form in forms]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            "two providers in SMS_API_URL have no name of their own: write #name at the end of their addresses"
        )
    if settings.sms_unknown == "ask" and (cannot := [form for form in forms if not form.knows_keys]):
        raise ConfigurationError(
            f"sms_unknown=ask, and a provider of the form {type(cannot[0]).__name__.lower()} cannot be asked: use "
            "resend or hold"
        )
    return forms


def rates_of(settings: ServiceSettings) -> dict[str, Rate]:
    """What each provider is given in a time, by its name. Raises ``ConfigurationError``."""
    names = [form.address.name for form in forms_of(settings)]
    try:
        rates = read_rates(settings.sms_provider_rates)
    except ValueError as error:
        raise ConfigurationError(f"STREAMQ_SMS_PROVIDER_RATES cannot be read: {error}") from None
    if strangers := [name for name in rates if name not in names]:
        raise ConfigurationError(
            f"STREAMQ_SMS_PROVIDER_RATES has {strangers[0]!r}, and no provider in SMS_API_URL has that name: write "
            "#name at the end of its address"
        )
    return rates


def reports_come(settings: ServiceSettings) -> bool:
    """Whether providers may tell what became of messages."""
    return bool(settings.secret("sms_report_secret") or settings.public_url)


def providers_of(settings: ServiceSettings, notes: Notes) -> list[HttpProvider]:
    """The providers of a worker. Raises ``ConfigurationError``."""
    endpoint = Endpoint(
        SMS, "SMS_API_URL", settings.sms_timeout, settings.sms_backoff, settings.sms_max_retry_after
    )
    return [HttpProvider(endpoint, form, notes) for form in forms_of(settings)]


@asynccontextmanager
async def _opened(app: App, settings: ServiceSettings) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        providers = providers_of(settings, app.notes)
        for provider in providers:
            await stack.enter_async_context(provider)
        deliveries = Deliveries(app, reports=reports_come(settings))
        rates = ProviderRates(app, rates_of(settings))
        app.state[SMS] = Outgoing(SMS, providers, settings.sms_unknown, deliveries, figures_of(app), rates)
        yield


def _limit(settings: ServiceSettings) -> Limit:
    return Limit(concurrency=settings.sms_concurrency, rate=settings.sms_rate)


CHANNEL: Final = Channel(
    SMS, {SEND_TASK: SEND_QUEUE, SCHEDULED_TASK: SCHEDULED_QUEUE}, deliver, _options, _opened, _limit
)
