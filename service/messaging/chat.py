"""A model that answers: an OpenAI-compatible chat endpoint, read as it streams, or a simulated one.

What the model says is bounded: in the time to its first token, the time between two, and its length. A stream that ends
before the model has said that it is done, or that is none, is no reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import orjson

from streamq import Fail, Retry

from ..json_text import encoded
from .caller import EXCERPT, Caller, begin_of
from .formats.form import kind_of
from .provider import ProviderError
from .retry_after import asked_wait
from .secrets import Secrets

_LINE: Final = 1 << 20
"""Bytes of a line of a stream, at most: a token takes some hundred."""

Message = dict[str, str]
"""``role`` and ``content``, as the endpoint takes them."""


class Reply(NamedTuple):
    """What a model has said. ``first`` is the seconds to its first token; tokens are as it counts them, else by the
    pieces that came."""

    text: str
    tokens: int
    first: float


class Model(Protocol):
    """Who answers."""

    async def reply(self, messages: Sequence[Message]) -> Reply:
        """The next message. Raises ``Retry``, ``Fail`` or ``ProviderError``."""
        ...


class Missing:
    """Nobody is named who answers."""

    async def reply(self, messages: Sequence[Message]) -> Reply:  # noqa: ARG002  # as of all models
        raise ProviderError(
            "no model is configured: set AI_API_URL, or AI_API_URL=simulated to try without one"
        )


class Simulated:
    """Answers without a model, for demos and tests: it repeats what it was told."""

    async def reply(self, messages: Sequence[Message]) -> Reply:
        said = messages[-1]["content"]
        text = f"Thank you for your message: {said}"
        return Reply(text, len(text.split()), 0.0)


class Bounds(NamedTuple):
    """Times are in seconds."""

    first: float
    """To the first token."""
    each: float
    """From one to the next."""
    total: float
    tokens: int
    """That a reply may have."""
    length: int
    """Characters that it may have."""


class Chat(Caller):
    """One per worker process. ``url`` is the base of the endpoint, such as ``https://api.example.com/v1``."""

    def __init__(self, url: str, key: str, model: str, bounds: Bounds) -> None:
        self._url, self._key, self._model, self._bounds = (
            f"{url.rstrip('/')}/chat/completions",
            key,
            model,
            bounds,
        )
        self._secrets = Secrets(url)
        super().__init__(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=bounds.first), read_bufsize=_LINE
        )

    async def reply(self, messages: Sequence[Message]) -> Reply:
        """The next message, once the model has said that it is done."""
        began = monotonic()
        body = encoded({
            "model": self._model, "messages": [*messages], "stream": True, "max_tokens": self._bounds.tokens,
            "stream_options": {"include_usage": True},
        })  # fmt: skip
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
        }
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        try:
            async with (
                asyncio.timeout(self._bounds.total),
                self._opened().post(self._url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    await self._refused(response)
                return await self._read(response, began)
        except TimeoutError:
            raise ProviderError("the model did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ProviderError(f"cannot reach the model: {self._words(error)}") from None

    async def _read(self, response: aiohttp.ClientResponse, began: float) -> Reply:
        parts: list[str] = []
        length = counted = 0
        first, done = 0.0, False
        async for piece in self._pieces(response):
            text, finished, tokens = _told(piece)
            counted, done = tokens or counted, done or finished
            if text:
                first = first or monotonic() - began
                parts.append(text)
                length += len(text)
            if length > self._bounds.length:
                done = True
                break
        if not done or not parts:
            raise ProviderError("the model stopped before it was done")
        return Reply("".join(parts)[: self._bounds.length], counted or len(parts), first)

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
        """The events of the stream, each within its time."""
        patience = self._bounds.first
        while True:
            async with asyncio.timeout(patience):
                line = await response.content.readline()
            if not line:
                return
            if len(line) > _LINE:
                raise ProviderError("the model sends what is no stream of events")
            if not line.startswith(b"data:"):
                continue
            data = line.removeprefix(b"data:").strip()
            if data == b"[DONE]":
                return
            try:
                piece = orjson.loads(data)
            except orjson.JSONDecodeError:
                piece = None
            if not isinstance(piece, dict):
                raise ProviderError("the model sends what is no JSON")
            patience = self._bounds.each
            yield piece

    async def _refused(self, response: aiohttp.ClientResponse) -> None:
        said = self._secrets.words((await begin_of(response)).decode("utf-8", "replace"), EXCERPT)
        words = f"the model answered {response.status}" + (f": {said}" if said else "")
        asked = asked_wait(tuple(response.headers.getall("Retry-After", ())))
        if asked is not None:
            raise Retry(words, after=max(1.0, min(asked, 3600.0)))
        raise Fail(words) if kind_of(response.status) == "message" else ProviderError(words)

    def _words(self, error: BaseException) -> str:
        return self._secrets.words(str(error) or type(error).__name__, EXCERPT)


def _told(piece: dict[str, Any]) -> tuple[str, bool, int]:
    """Of an event: the text, whether the model is done, and how many tokens it has counted."""
    usage = piece.get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    choices = piece.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    return (
        (text if isinstance(text, str) else ""),
        bool(choice.get("finish_reason")),
        tokens if type(tokens) is int else 0,
    )
