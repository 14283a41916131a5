"""A model that answers: an OpenAI-compatible chat endpoint, read as it streams, or a simulated one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import aiohttp

from streamq import Fail, Retry

from ..json_text import encoded
from .budget import Spending
from .caller import EXCERPT, Caller, begin_of
from .formats.form import kind_of
from .provider import ProviderError
from .reading import LINE, Bounds, Reading, Reply
from .retry_after import asked_wait
from .secrets import Secrets

Message = dict[str, str]
"""``role`` and ``content``, as the endpoint takes them."""


class Model(Protocol):
    """Who answers."""

    async def reply(self, messages: Sequence[Message], spending: Spending) -> Reply:
        """The next message; ``spending`` tells what it has cost so far, also where it breaks off.

        Raises ``Retry``, ``Fail`` or ``ProviderError``.
        """
        ...


class Missing:
    """Nobody is named who answers."""

    async def reply(self, messages: Sequence[Message], spending: Spending) -> Reply:  # noqa: ARG002  # as of all
        raise ProviderError(
            "no model is configured: set AI_API_URL, or AI_API_URL=simulated to try without one"
        )


class Simulated:
    """Answers without a model, for demos and tests: it repeats what it was told."""

    async def reply(self, messages: Sequence[Message], spending: Spending) -> Reply:
        said = messages[-1]["content"]
        text = f"Thank you for your message: {said}"
        spending.tokens = len(text.split())
        return Reply(text, spending.tokens, 0.0)


class Chat(Caller):
    """One per worker process. ``url`` is the base of the endpoint, such as ``https://api.example.com/v1``."""

    def __init__(self, url: str, key: str, model: str, bounds: Bounds) -> None:
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._model, self._bounds = model, bounds
        self._secrets = Secrets(url, key)
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            **({"Authorization": f"Bearer {key}"} if key else {}),
        }
        super().__init__(timeout=aiohttp.ClientTimeout(total=None), read_bufsize=LINE // 2)

    async def reply(self, messages: Sequence[Message], spending: Spending) -> Reply:
        """The next message, once the model has said that it is done."""
        reading = Reading(self._bounds, spending)
        body = encoded({
            "model": self._model, "messages": [*messages], "stream": True, "max_tokens": self._bounds.tokens,
            "stream_options": {"include_usage": True},
        })  # fmt: skip
        try:
            async with (
                asyncio.timeout(self._bounds.total),
                asyncio.timeout(self._bounds.first) as patience,
                self._opened().post(
                    self._url, data=body, headers=self._headers, allow_redirects=False
                ) as response,
            ):
                if response.status != 200:
                    await self._refused(response)
                await reading.read(response, patience)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # also TimeoutError
            if not reading.done:
                late = isinstance(error, TimeoutError)
                said = (
                    "the model did not answer in time"
                    if late
                    else f"cannot reach the model: {self._words(error)}"
                )
                raise ProviderError(said) from None
        return reading.reply()

    async def _refused(self, response: aiohttp.ClientResponse) -> None:
        said = self._secrets.words((await begin_of(response)).decode("utf-8", "replace"), EXCERPT)
        words = f"the model answered {response.status}" + (f": {said}" if said else "")
        asked = asked_wait(tuple(response.headers.getall("Retry-After", ())))
        if asked is not None:
            raise Retry(words, after=max(1.0, min(asked, 3600.0)))
        raise Fail(words) if kind_of(response.status) == "message" else ProviderError(words)

    def _words(self, error: BaseException) -> str:
        return self._secrets.words(str(error) or type(error).__name__, EXCERPT)
