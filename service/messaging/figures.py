"""Figures: what messages came to and how long they took, by channel, by provider and by workspace.

count       of
---------   -----------------------------------------------------------------------------------------
accepted    messages that became a job
sent        messages that a provider took, or replies that were taken at their address
delivered   messages that the recipient has, as a report says
failed      messages that ended without that: refused, out of attempts, or undelivered
withheld    messages that were not to go out: opted out, or above the cap of their recipient
unknown     messages of which nobody could tell whether they were taken
retried     attempts after which the message comes again
resent      messages that were given out again though they may have been taken: the policy says so
tokens      of a model
cost        of these, where a price is set
first       (time) to the first token of a model
queue       (time) from when a message could go out until a worker had it
send        (time) that sending it took
delivery    (time) from the provider to the recipient
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

from streamq import App, StreamqError, Unavailable

from ..json_text import encoded

log = logging.getLogger("streamq.messaging")

Dimension = Literal["channel", "provider", "workspace"]
MILLIONTHS: Final = "cost_millionths"
"""How the cost is counted: what is counted are whole numbers."""
COUNTS: Final = (
    "accepted",
    "sent",
    "delivered",
    "failed",
    "withheld",
    "unknown",
    "retried",
    "resent",
    "tokens",
)
TIMES: Final = ("queue", "send", "delivery", "first")
BY_CHANNEL: Final = "messages-by-channel"
"""The name of the tallies of which each subject is a channel."""
_EVERY: Final = 1.0
"""Seconds between two calls: a killed process takes so much with it."""
FIGURES: Final = "figures"
"""Where they are in ``app.state``."""
_ID: Final = 120
"""Characters of a workspace's id that are told apart."""


class Figures:
    """Those of a process, added to what all processes have counted once a second."""

    def __init__(self, app: App) -> None:
        self._by_channel = app.tallies(BY_CHANNEL)
        self._by_provider = app.tallies("messages-by-provider")
        self._by_workspace = app.tallies("messages-by-workspace")

    def count(self, channel: str, workspace: Any, name: str, by: int = 1) -> None:
        """Count something of a message."""
        self._by_channel.count(channel, name, by)
        self._by_workspace.count(_subject(channel, workspace), name, by)

    def time(self, channel: str, workspace: Any, name: str, seconds: float) -> None:
        """Note how long something took."""
        self._by_channel.time(channel, name, seconds)
        self._by_workspace.time(_subject(channel, workspace), name, seconds)

    def of_provider(self, channel: str, provider: str, name: str, seconds: float | None = None) -> None:
        """Count what became of a message at a provider, and for how long that was called."""
        self._by_provider.count(f"{channel} {provider}".strip(), name)
        if seconds is not None:
            self._by_provider.time(f"{channel} {provider}".strip(), "send", seconds)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send what is counted, within the block and at its end."""
        task = asyncio.create_task(self._run(), name="figures")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(2):
                    await self._send()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self._send()
            except Unavailable as error:
                log.debug("figures wait: %s", error)
            except StreamqError:
                log.exception("figures could not be sent")

    async def _send(self) -> None:
        for tallies in (self._by_channel, self._by_provider, self._by_workspace):
            await tallies.send()


def figures_of(app: App) -> Figures:
    """Those of a process, by its app: made at the first time."""
    if FIGURES not in app.state:
        app.state[FIGURES] = Figures(app)
    found: Figures = app.state[FIGURES]
    return found


def _subject(channel: str, workspace: Any) -> str:
    """A channel and a workspace, whose id keeps its JSON type."""
    text = encoded(workspace[:_ID] if isinstance(workspace, str) else workspace).decode()
    return f"{channel} {''.join(each if each.isprintable() else '?' for each in text)}"
