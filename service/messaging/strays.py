"""Strays: messages that a provider may have taken, and whose jobs ended without anybody who could tell.

A job that is buried as its workers were lost, or cancelled while its provider was called, or over its time limit, ends
without its handler. What is noted as ``sending`` then is put on the list of unknown messages.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final

from streamq import App, JobRecord, State, StreamqError

from .channel import Channel
from .delivery import Deliveries, DeliveryState

log = logging.getLogger("streamq.messaging")

EVERY: Final = 10.0
"""Seconds between two looks."""
PAGE: Final = 100
PAGES: Final = 20
"""Pages of ended jobs that one look goes back at most."""


class Strays:
    """Looks for them, in the queues of channels whose deliveries are noted."""

    def __init__(self, app: App, channels: Sequence[Channel], deliveries: Deliveries) -> None:
        self._app, self._deliveries = app, deliveries
        self._queues = [name for channel in channels for name in channel.queues]
        self._seen: dict[tuple[str, State], datetime] = {}
        """By queue and state, the end of the latest job that was looked at."""

    @asynccontextmanager
    async def sought(self) -> AsyncIterator[None]:
        """Look again and again within the block."""
        task = asyncio.create_task(self._run(), name="strays")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except StreamqError as error:
                log.debug("messages without a known end were not looked for: %s", error)
            await asyncio.sleep(EVERY)

    async def look(self) -> int:
        """How many were found."""
        found = 0
        for queue in self._queues:
            for state in (State.FAILED, State.CANCELLED):
                found += await self._look_at(queue, state)
        return found

    async def _look_at(self, queue: str, state: State) -> int:
        """Ended jobs come the latest first: back to those that were looked at before."""
        found, cursor, before = 0, None, self._seen.get((queue, state))
        latest = before
        for _ in range(PAGES):
            page = await self._app.queue(queue).jobs(state, limit=PAGE, cursor=cursor)
            new = [job for job in page.items if before is None or (job.finished_at or before) > before]
            found += await self._hold_of(new)
            latest = max([job.finished_at for job in new if job.finished_at], default=latest)
            cursor = page.next
            if len(new) < len(page.items) or cursor is None:
                break
        if latest is not None:
            self._seen[queue, state] = max(latest, before) if before is not None else latest
        return found

    async def _hold_of(self, jobs: Sequence[JobRecord]) -> int:
        keys = [f"{job.queue}:{job.id}" for job in jobs]
        found = 0
        for key, known in zip(keys, await self._deliveries.get_many(keys), strict=True):
            if known is not None and known.state is DeliveryState.SENDING:
                await self._deliveries.hold(key, known)
                log.warning("message %s: its job has ended, and nobody knows whether it was taken", key)
                found += 1
        return found
