"""Who calls others over HTTP: one session, which is opened at the first call, and answers that are read in part."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import aiohttp

EXCERPT: Final = 300
"""Characters kept of an answer: a sentence or two, as an error's text needs."""
ANSWER: Final = 65_536
"""Bytes read of an answer, and unpacked of a compressed one: many times what an id and an error take."""


class Caller:
    """One per worker process; its connections are shared by all attempts. Arguments are those of the session."""

    def __init__(self, *, connector: dict[str, Any] | None = None, **session: Any) -> None:
        self._how, self._connector = session, connector or {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # The worker's concurrency is the bound; a second one here would eat into the time limit.
                connector=aiohttp.TCPConnector(limit=0, **self._connector),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a compressed answer may unpack to a thousand times its size
                **self._how,
            )
        return self._session


async def begin_of(response: aiohttp.ClientResponse) -> bytes:
    """What arrived of the body. The status counts also when the body stalls or breaks off."""
    answer = bytearray()
    try:
        async for chunk in response.content.iter_any():
            answer += chunk
            if len(answer) >= ANSWER:
                break
    except (TimeoutError, aiohttp.ClientError):
        return bytes(answer)
    return bytes(answer[:ANSWER])
