"""Whether the server answers: asked once for everyone who wants to know at the moment.

Anyone may ask, so it must not cost by callers.
"""

from __future__ import annotations

import asyncio
from typing import Final

from streamq import App, Unavailable

READY_TIMEOUT: Final = 2.0
"""Seconds: shorter than what probes of orchestrators wait, by default or by custom, so that they get an answer."""


class Readiness:
    """One question at a time."""

    def __init__(self, engine: App) -> None:
        self._engine = engine
        self._asking: asyncio.Task[float] | None = None

    async def seconds(self) -> float:
        """How long the server took. Raises ``Unavailable`` after 2 s, and what ``App.ping`` raises."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask(), name="ready")
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self) -> float:
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                return await self._engine.ping()
        except TimeoutError:
            raise Unavailable(f"the server did not answer within {READY_TIMEOUT:g} s") from None
