"""AI replies: a message of a contact is answered by a model, and the answer goes to the address that asked for it.

queue               task          holds
-----------------   -----------   -------------------------------
ai-response-queue   ai-response   messages to answer

The reply is kept under the job's id before the callback, so a callback that fails never pays for the model twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from streamq import App, Backoff, Context, Job, Limit, RecordConflict, State, Unique

from ..json_text import encoded
from ..settings import SIMULATED, ServiceSettings
from . import shown
from .budget import Budget
from .callback import Callbacks, Rules
from .channel import Channel
from .chat import Chat, Message, Missing, Model, Simulated
from .fields import ContactId, Text, WorkspaceId
from .figures import MILLIONTHS, figures_of
from .opt_outs import OptOuts, contact
from .prompts import prompts_of
from .reading import Bounds, Reply

AI: Final = "ai"
"""The name of the channel, and where a worker keeps what it needs in ``app.state``."""
TASK: Final = "ai-response"
QUEUE: Final = "ai-response-queue"
KEPT: Final = "ai-replies"
"""The records of replies, of what contacts have said, and of tokens."""
_DAY: Final = 86_400
_ROOM: Final = 50_000
"""Bytes of a reply, or of a conversation, that fit into a record with what stands beside them."""
LIFETIME: Final = 7 * _DAY
"""Seconds for which a reply, and a conversation, is remembered."""


class AiMessage(BaseModel):
    """The payload. ``workspace_id`` keeps its JSON type all the way to the callback."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    workspace_id: WorkspaceId
    contact_id: ContactId
    message_id: Annotated[str, Field(min_length=1, max_length=256)]
    message_text: Text
    callback_url: Annotated[str, Field(min_length=1, max_length=2_000)]


class AiReceipt(BaseModel):
    """What an answered message leaves as its result."""

    reply: str
    tokens: int
    first_token: float
    """Seconds until the model's first token."""
    callback_status: int
    cost: float | None = None
    """Of its tokens, where a price is set."""


class Answering:
    """What a worker answers with."""

    def __init__(self, app: App, settings: ServiceSettings, model: Model, callbacks: Callbacks) -> None:
        self._model, self._callbacks, self._settings = model, callbacks, settings
        self._records, self._opt_outs = app.records(KEPT, limit=1_000_000), OptOuts(app)
        self._figures = figures_of(app)
        self._budget = Budget(self._records, settings.ai_budget, settings.ai_max_tokens)
        self._prompts = prompts_of(settings)

    async def answer(self, message: AiMessage, ctx: Context) -> AiReceipt:
        """Make the reply, or find it, and call back. Who says STOP gets none."""
        who = contact(message.workspace_id, message.contact_id)
        await self._opt_outs.heard([who], message.message_text, message.workspace_id)
        await self._opt_outs.check([who], message.workspace_id)
        reply = await self._kept(ctx.job_id) or await self._made(message, ctx)
        shown.also(reply.text)
        body = callback_body(message, ctx.job_id, reply.text)
        status = await self._callbacks.send(
            message.callback_url, body, key=ctx.idempotency_key, attempt=ctx.attempt
        )
        return AiReceipt(
            reply=reply.text, tokens=reply.tokens, first_token=reply.first, callback_status=status,
            cost=self._cost_of(reply.tokens),
        )  # fmt: skip

    def _cost_of(self, tokens: int) -> float | None:
        price = self._settings.ai_price
        return None if price is None else round(tokens * price / 1_000_000, 9)

    async def _kept(self, job_id: str) -> Reply | None:
        found = await self._records.get(f"reply {job_id}")
        return None if found is None else Reply(*found.value)

    async def _made(self, message: AiMessage, ctx: Context) -> Reply:
        talk = f"talk {digest(message.workspace_id, message.contact_id)}"
        found = await self._records.get(talk)
        before: list[Message] = found.value if found is not None else []
        shown.also(*(each["content"] for each in before))
        said: Message = {"role": "user", "content": message.message_text}
        prompt: Message = {"role": "system", "content": self._prompts.of(message.workspace_id)}
        workspace = digest(message.workspace_id)
        async with self._budget.reply(workspace) as spending:
            try:
                reply = await self._model.reply([prompt, *before, said], spending)
            finally:  # a reply that breaks off is paid for too
                self._count(message, spending.tokens)
        reply = reply._replace(text=_fitting(reply.text))
        self._figures.time(AI, message.workspace_id, "first", reply.first)
        await self._records.put(f"reply {ctx.job_id}", list(reply), lifetime=LIFETIME)
        if self._settings.ai_context:
            await self._remember(talk, [said, {"role": "assistant", "content": reply.text}])
        return reply

    def _count(self, message: AiMessage, tokens: int) -> None:
        self._figures.count(AI, message.workspace_id, "tokens", tokens)
        self._figures.count(AI, message.workspace_id, MILLIONTHS, round(1e6 * (self._cost_of(tokens) or 0)))

    async def _remember(self, talk: str, more: list[Message]) -> None:
        """Add to a conversation, one message of the contact after the other."""
        while True:
            entry = await self._records.get(talk)
            kept = [*(entry.value if entry is not None else []), *more][-2 * self._settings.ai_context :]
            try:
                version = 0 if entry is None else entry.version
                await self._records.put(talk, _within(kept), lifetime=LIFETIME, version=version)
            except RecordConflict:
                continue
            return


def digest(*ids: object) -> str:
    """A name for ids of any length and any characters, which a key may not have."""
    return hashlib.sha256(encoded([str(each) for each in ids])).hexdigest()


def _within(messages: list[Message]) -> list[Message]:
    """The last of them, as far as a record has room."""
    while len(messages) > 2 and _size(messages) > _ROOM:
        messages = messages[2:]
    return messages if _size(messages) <= _ROOM else []


def _fitting(text: str) -> str:
    """The begin of a text, as far as a record has room."""
    while _size(text) > _ROOM:
        text = text[: len(text) * 4 // 5]
    return text


def _size(value: Any) -> int:
    """Bytes as a record keeps it: some characters take six."""
    return len(encoded(value))


def callback_body(message: AiMessage, job_id: str, text: str) -> dict[str, Any]:
    """A text message where the address takes these, as the predecessor's did; else the plain form."""
    if urlsplit(message.callback_url).path.rstrip("/").endswith("/send-sms"):
        return {
            "to": message.contact_id, "message": text, "workspaceId": message.workspace_id,
            "contactId": message.contact_id, "messageId": message.message_id,
        }  # fmt: skip
    return {
        "workspace_id": message.workspace_id, "contact_id": message.contact_id, "message_id": message.message_id,
        "job_id": job_id, "response_text": text,
    }  # fmt: skip


async def answer(message: AiMessage, ctx: Context) -> AiReceipt:
    """Answer one message."""
    answering: Answering = ctx.app.state[AI]
    return await answering.answer(message, ctx)


def callback_rules(settings: ServiceSettings) -> Rules:
    """Where callbacks may go."""
    hosts = frozenset(host.strip().lower() for host in settings.callback_hosts.split(",") if host.strip())
    return Rules(
        hosts, settings.callback_private, settings.callback_timeout, settings.callback_backoff,
        settings.callback_max_retry_after, settings.secret("callback_secret"),
    )  # fmt: skip


def _options(settings: ServiceSettings) -> dict[str, Any]:
    return {
        "attempts": settings.callback_attempts,
        "backoff": Backoff(base=settings.callback_backoff),
        "timeout": settings.ai_timeout + settings.callback_timeout + 10,
        "unique": Unique(window=_DAY),
    }


@asynccontextmanager
async def _opened(app: App, settings: ServiceSettings) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        callbacks = await stack.enter_async_context(Callbacks(callback_rules(settings)))
        url = settings.secret("ai_api_url")
        model: Model = Simulated() if url else Missing()
        if url and url != SIMULATED:
            bounds = Bounds(
                settings.ai_first_token,
                settings.ai_next_token,
                settings.ai_timeout,
                settings.ai_max_tokens,
                16_000,
            )
            chat = Chat(url, settings.secret("ai_api_key"), settings.ai_model, bounds)
            model = await stack.enter_async_context(chat)
        app.state[AI] = Answering(app, settings, model, callbacks)
        yield


def _limit(settings: ServiceSettings) -> Limit:
    return Limit(concurrency=settings.ai_concurrency, rate=settings.ai_rate)


async def send(app: App, message: AiMessage, rate_limit_key: str | None) -> tuple[Job[Any], State]:
    """Its job, or the one that answers it already: a message of a workspace is answered once within a day."""
    group: dict[str, Any] = {"group": rate_limit_key} if rate_limit_key else {}
    return await CHANNEL.send(app, message, key=digest(message.workspace_id, message.message_id), **group)


CHANNEL: Final = Channel(AI, {TASK: QUEUE}, answer, _options, _opened, _limit)
