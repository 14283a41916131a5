"""Delivery reports of the sandbox: a moment after it took a text message it says that the recipient has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web

from ..json_text import encoded
from ..messaging.signature import key_of, signed
from .ledger import Call

log = logging.getLogger("streamq.sandbox")

AFTER: Final = 0.5
"""Seconds after the answer: as fast as networks are, so that who watches sees both."""
WAITS: Final = (1.0, 2.0, 4.0, 8.0, 0.0)
"""Seconds before it is told again where nobody took it."""
AT_ONCE: Final = 20
"""Reports that are sent at once: others wait, so that a flood of messages is none of reports."""


class Reporting:
    """Where reports go, once ``url`` is set; ``secret`` signs them. Raises ``ConfigurationError`` for what is none."""

    def __init__(self, secret: str, url: str = "") -> None:
        self.url, self._key = url, key_of(secret, "reports")
        self._queue: asyncio.Queue[tuple[float, bytes, str]] = asyncio.Queue(100_000)

    def tell(self, call: Call, status: str) -> None:
        """Report of a call that was taken, if anybody is to be told."""
        if not self.url or status == "none":
            return
        body = encoded({"id": call.id, "idempotency_key": call.key, "status": status})
        try:
            self._queue.put_nowait((asyncio.get_running_loop().time() + AFTER, body, call.id))
        except asyncio.QueueFull:
            log.warning("no report of %s: too many wait", call.id)

    async def running(self, _application: web.Application) -> AsyncIterator[None]:
        """Send them, as long as the application serves."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            tasks = [asyncio.create_task(self._run(session), name="reports") for _ in range(AT_ONCE)]
            yield
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, session: aiohttp.ClientSession) -> None:
        while True:
            at, body, name = await self._queue.get()
            await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))
            said = "nothing was tried"
            for wait in WAITS:
                said = await self._send(session, body, name)
                if not said:
                    break
                await asyncio.sleep(wait)
            if said:
                log.warning("the report of %s could not be told: %s", name, said)

    async def _send(self, session: aiohttp.ClientSession, body: bytes, name: str) -> str:
        """Why it was not taken; empty where it was."""
        headers = {"Content-Type": "application/json", **signed(self._key, name, body)}
        try:
            async with session.post(self.url, data=body, headers=headers) as answer:
                return f"it was answered {answer.status}" if answer.status >= 300 else ""
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__
