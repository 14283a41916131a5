"""A reply as it comes from a model: a stream of server-sent events, each a JSON object, which is bounded in all it has.

in                  bound
-----------------   ------------------------------------------------------------
time                to the first token, from one event to the next, and in all
a line, all lines   bytes
the reply           characters; what is longer is cut off

A stream that ends before the model has said that it is done, or that is none, is no reply. What comes after that, or
does not, takes nothing back.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, Final, NamedTuple

import aiohttp
import orjson
from aiohttp.http import HttpProcessingError

from .budget import Spending
from .provider import ProviderError

LINE: Final = 131_072
"""Bytes of a line of a stream, at most: a token takes some hundred, and a whole reply in one line fits."""
_FOR_A_TOKEN: Final = 1_000
"""Bytes of a stream for each token that a reply may have, on average: some models send a few hundred."""
_LEAST: Final = 100
"""Bytes that a line counts at least: what are but line ends would take seconds otherwise."""
_LAST: Final = 5.0
"""Seconds from the end of a reply to what is told after it, which is the number of its tokens."""
_MANY: Final = 10_000_000
"""Tokens: more are no count."""


class Reply(NamedTuple):
    """What a model has said. ``first`` is the seconds to its first token; tokens are all that it counts, also of what
    it was told, else the pieces that came."""

    text: str
    tokens: int
    first: float


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


class Reading:
    """One reply while it is read; it begins now."""

    def __init__(self, bounds: Bounds, spending: Spending) -> None:
        self._bounds, self._spending, self._began = bounds, spending, monotonic()
        self._parts: list[str] = []
        self._length = self._counted = 0
        self._first = 0.0
        self._bytes_left = LINE + bounds.tokens * _FOR_A_TOKEN
        self.done = False
        """Whether the model has said so, or the reply is as long as it may be."""

    async def read(self, response: aiohttp.ClientResponse, patience: asyncio.Timeout) -> None:
        """Read to the end; ``patience`` is renewed with each event. Raises ``ProviderError``."""
        loop = asyncio.get_running_loop()
        while self._length <= self._bounds.length and (line := await _line(response)):
            self._bytes_left -= max(len(line), _LEAST)
            if self._bytes_left < 0:
                raise ProviderError("the model sends far more than the tokens that it may")
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                self.done = True
                return
            self._take(_event(data))
            wait = min(self._bounds.each, _LAST) if self.done else self._bounds.each
            until = loop.time() + wait
            patience.reschedule(until if self._parts else max(until, patience.when() or 0.0))
        self.done = self.done or self._length > self._bounds.length

    def _take(self, event: dict[str, Any]) -> None:
        text, finished, counted = _told(event)
        self._counted = counted or self._counted
        self.done = self.done or finished
        if text:
            self._first = self._first or monotonic() - self._began
            self._parts.append(text)
            self._length += len(text)
        self._spending.tokens = self._counted or len(self._parts)

    def reply(self) -> Reply:
        """What has come. Raises ``ProviderError`` for what is none."""
        if not self.done or not self._parts:
            raise ProviderError("the model stopped before it was done")
        text = "".join(self._parts)[: self._bounds.length]
        return Reply(text, self._spending.tokens, self._first)


async def _line(response: aiohttp.ClientResponse) -> bytes:
    try:
        return await response.content.readline()
    except (HttpProcessingError, ValueError):  # as versions of aiohttp tell of a line that is too long
        raise ProviderError(f"the model sends a line of more than {LINE:,} bytes") from None


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = orjson.loads(data)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict):
        raise ProviderError("the model sends what is no JSON object")
    return event


def _told(event: dict[str, Any]) -> tuple[str, bool, int]:
    """Of an event: the text, whether the model is done, and how many tokens it has counted."""
    usage = event.get("usage")
    counted = [usage.get("total_tokens"), usage.get("completion_tokens")] if isinstance(usage, dict) else []
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    return (
        (text if isinstance(text, str) else ""),
        bool(choice.get("finish_reason")),
        next((each for each in counted if type(each) is int and 0 < each <= _MANY), 0),
    )
