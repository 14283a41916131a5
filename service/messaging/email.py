"""E-mail: the payload, the task and its two queues, by SMTP or by a service over HTTP.

queue                   task              holds
---------------------   ---------------   -------------------------------
send-email-queue        send-email        messages to send at once
scheduled-email-queue   scheduled-email   messages with a delay or a date
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from email.headerregistry import Address
from email.message import EmailMessage as Mail
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from streamq import App, Backoff, ConfigurationError, Context, Fail, Limit

from ..clock import now
from ..settings import ServiceSettings
from .addresses import ascii_form, sender_of
from .allowed import ALLOWED, Allowed, Recipient
from .channel import Channel
from .delivery import Deliveries
from .fields import ContactId, Text, WorkspaceId, printable, whole
from .figures import figures_of
from .headers import LONGEST, POLICY, message_id
from .opt_outs import Withheld
from .outgoing import Message, Outgoing
from .plain_text import text_of
from .provider import Endpoint, HttpProvider, Receipt, plain
from .smtp import Smtp
from .unsubscribe import Link, link_of

EMAIL: Final = "email"
SEND_TASK: Final = "send-email"
SCHEDULED_TASK: Final = "scheduled-email"


def _is_base64(value: str) -> str:
    try:
        b64decode(value, validate=True)
    except (Error, ValueError):
        raise PydanticCustomError("base64", "is not base64") from None
    return value


class Attachment(BaseModel):
    """A file that comes with an e-mail; ``content`` is base64."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(printable)]
    type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]{1,64}/[a-z0-9.+-]{1,64}$")] = "application/octet-stream"
    content: Annotated[str, AfterValidator(_is_base64)]


class EmailMessage(BaseModel):
    """The payload of both tasks. ``workspace_id`` keeps its JSON type all the way to the provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    to: Annotated[list[str], Field(min_length=1, max_length=50)]
    subject: Annotated[str, Field(max_length=998), AfterValidator(printable)]
    html: Text
    text: Annotated[str, AfterValidator(whole)] | None = None
    workspace_id: WorkspaceId
    contact_id: ContactId | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    attachments: Annotated[list[Attachment], Field(max_length=20)] = Field(default_factory=list)
    unsubscribe: str | None = None
    """Where a reader ends this: an address of https, or mailto."""


class EmailReceipt(BaseModel):
    """What a delivered message leaves as its result."""

    status: int
    provider_id: str | int | None
    refused: dict[str, str] = Field(default_factory=dict)
    """Recipients that were refused for good, while others were taken."""


async def deliver(message: EmailMessage, ctx: Context) -> EmailReceipt:
    """Hand one message to the provider, under a key that is equal on every attempt."""
    allowed: Allowed = ctx.app.state[ALLOWED]
    message, refused = await _allowed(message, allowed)
    outgoing: Outgoing[Any] = ctx.app.state[EMAIL]
    sender: Address = ctx.app.state[f"{EMAIL} sender"]
    link: Link | None = ctx.app.state[f"{EMAIL} link"]
    if link is not None and message.unsubscribe is None and len(message.to) == 1:
        message = message.model_copy(
            update={"unsubscribe": link.of(message.to[0], str(message.workspace_id))}
        )

    async def give(provider: Smtp | HttpProvider) -> Receipt:
        if isinstance(provider, HttpProvider):
            return await provider.send(_body(message), key=ctx.idempotency_key, attempt=ctx.attempt)
        mail = mail_of(message, sender, ctx.idempotency_key)
        as_given = {ascii_form(each): each for each in message.to}
        done = await provider.send(mail, sender.addr_spec, list(as_given), key=ctx.idempotency_key)
        refused.update({as_given[each]: why for each, why in done.refused.items()})
        if done.later:
            await _later(message, [as_given[each] for each in done.later], ctx)
        return Receipt(250, done.said)

    last = ctx.attempt >= ctx.attempts
    receipt = await outgoing.send(Message(ctx.idempotency_key, message.workspace_id, last), give)
    return EmailReceipt(status=receipt.status, provider_id=receipt.provider_id, refused=refused)


async def _allowed(message: EmailMessage, allowed: Allowed) -> tuple[EmailMessage, dict[str, str]]:
    """The message to those who may get it, and why others do not. Raises ``Withheld`` where nobody may."""
    refused: dict[str, str] = {}
    left: list[str] = []
    withheld: Withheld | None = None
    for each in each_once(message.to):
        try:
            await allowed.check(Recipient(EMAIL, each, message.workspace_id, message.contact_id))
            left.append(each)
        except Withheld as error:
            refused[each], withheld = str(error), error
    if withheld is not None and not left:
        raise withheld
    return message.model_copy(update={"to": left}), refused


def each_once(recipients: Iterable[str]) -> list[str]:
    """The recipients without those that differ from an earlier one in nothing but capitals: they are one mailbox."""
    found: dict[str, str] = {}
    for each in recipients:
        found.setdefault(each.lower(), each)
    return list(found.values())


async def _later(message: EmailMessage, recipients: list[str], ctx: Context) -> None:
    """Those that were refused for now get it by a job of their own: the others have it."""
    rest = message.model_copy(update={"to": recipients})
    key = f"{ctx.idempotency_key}:later"
    await ctx.app.enqueue(CHANNEL.tasks[SCHEDULED_TASK], SCHEDULED_TASK, rest, delay=60, key=key)


def mail_of(message: EmailMessage, sender: Address, key: str) -> Mail:
    """The message as it goes out (RFC 5322): text, HTML, and the attachments. Raises ``Fail`` for what cannot."""
    mail = Mail(POLICY)
    mail["From"] = sender
    mail["To"] = [_address(ascii_form(each)) for each in message.to]
    mail["Subject"] = message.subject
    mail["Date"] = now()
    mail["Message-ID"] = message_id(key, sender.domain)
    if message.unsubscribe:
        _end(mail, message.unsubscribe)
    mail.set_content(message.text if message.text is not None else text_of(message.html))
    mail.add_alternative(message.html, subtype="html")
    for each in message.attachments:
        main, _, sub = each.type.partition("/")
        mail.add_attachment(b64decode(each.content), maintype=main, subtype=sub, filename=each.name)
    return mail


def _end(mail: Mail, address: str) -> None:
    """Where a reader ends this, for mail programs (RFC 2369), with one click where it is of https (RFC 8058)."""
    if len(address) > LONGEST:
        raise Fail(f"the address to unsubscribe at has {len(address)} characters, and a mail holds {LONGEST}")
    mail["List-Unsubscribe"] = f"<{address}>"
    if address.startswith("https://"):
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"


def _address(text: str, name: str = "") -> Address:
    user, _, domain = text.rpartition("@")
    return Address(name, user, domain)


def _body(message: EmailMessage) -> dict[str, Any]:
    """What a provider over HTTP receives: metadata beside the named fields, never instead of them."""
    named: dict[str, Any] = {
        "to": message.to[0] if len(message.to) == 1 else message.to,
        "subject": message.subject,
        "html": message.html,
        "text": message.text if message.text is not None else text_of(message.html),
        "workspaceId": message.workspace_id,
    }
    more = {
        "contactId": message.contact_id,
        "unsubscribe": message.unsubscribe,
        "attachments": [each.model_dump() for each in message.attachments] or None,
    }
    named |= {name: value for name, value in more.items() if value is not None}
    kept = named.keys() | more.keys()
    return {**named, **{name: value for name, value in message.metadata.items() if name not in kept}}


def _options(settings: ServiceSettings) -> dict[str, Any]:
    return {
        "attempts": settings.email_attempts,
        "backoff": Backoff(base=settings.email_backoff),
        "timeout": settings.email_timeout + 5,
    }


@asynccontextmanager
async def _opened(app: App, settings: ServiceSettings) -> AsyncIterator[None]:
    async with _provider(app, settings) as provider:
        deliveries = Deliveries(app, reports=False)
        app.state[EMAIL] = Outgoing(EMAIL, [provider], settings.email_unknown, deliveries, figures_of(app))
        name, address = sender_of(settings.email_from) if settings.email_from else ("", "")
        app.state[f"{EMAIL} sender"] = _address(ascii_form(address), name)
        app.state[f"{EMAIL} link"] = link_of(settings)
        yield


def _provider(app: App, settings: ServiceSettings) -> Smtp | HttpProvider:
    url = settings.secret("smtp_url")
    if not url:
        form = plain(settings.secret("email_api_url"), "send-email")
        return HttpProvider(endpoint(settings), form, app.notes)
    if settings.email_unknown == "ask":
        raise ConfigurationError("email_unknown=ask, and a mail server cannot be asked: use resend or hold")
    return Smtp(url, settings.email_timeout, app.notes)


def endpoint(settings: ServiceSettings) -> Endpoint:
    """How e-mail goes by HTTP."""
    return Endpoint(
        EMAIL, "EMAIL_API_URL or SMTP_URL", settings.email_timeout, settings.email_backoff,
        settings.email_max_retry_after,
    )  # fmt: skip


def _limit(settings: ServiceSettings) -> Limit:
    return Limit(concurrency=settings.email_concurrency, rate=settings.email_rate)


CHANNEL: Final = Channel(
    EMAIL,
    {SEND_TASK: "send-email-queue", SCHEDULED_TASK: "scheduled-email-queue"},
    deliver,
    _options,
    _opened,
    _limit,
)
