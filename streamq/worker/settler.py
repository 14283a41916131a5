"""The settler: outcomes leave as jobs do, together with whatever came while the last were on their way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from streamq.clock import monotonic
from streamq.connection import Link
from streamq.envelope import Delivery, Held
from streamq.errors import OutcomeUnknown, Unavailable
from streamq.store import Settlement, Store

log = logging.getLogger("streamq.settler")

BATCH: Final = 1_000


class Settler:
    """Writes outcomes until told to stop, and keeps trying while the server is away.

    ``on_taken`` is called when the backlog has shrunk.
    """

    def __init__(self, store: Store, worker: str, on_taken: Callable[[], None]) -> None:
        self._store, self._link = store, Link(store.servers, worker)
        self._on_taken = on_taken
        self._waiting: list[tuple[str, Settlement]] = []
        self._writing: list[tuple[str, Settlement]] = []
        self._work = asyncio.Event()
        self._stopping = False
        self.refused = 0
        """Outcomes the server refused, as the jobs had been given to another worker."""

    @property
    def backlog(self) -> int:
        """Outcomes not yet on their way."""
        return len(self._waiting)

    def holds(self) -> set[Held]:
        """The entries whose outcome is not known to be written."""
        return {(queue, s.lane, s.entry) for queue, s in (*self._writing, *self._waiting)}

    def put(self, delivery: Delivery, kind: str, body: bytes) -> None:
        """Take an outcome; it is written soon."""
        self._waiting.append(
            (delivery.queue, Settlement(kind, delivery.lane, delivery.entry, delivery.job_id, body))
        )
        self._work.set()

    async def run(self) -> None:
        """Write what comes, until ``stop`` was called and all is written."""
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._waiting:
                    self._writing, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                    self._on_taken()
                    await self._write(self._writing)
                    self._writing = []
                if self._stopping:
                    return
        finally:
            await self._link.close()

    def stop(self) -> None:
        """Return from ``run`` when all that was put is written."""
        self._stopping = True
        self._work.set()

    async def _write(self, batch: list[tuple[str, Settlement]]) -> None:
        by_queue: dict[str, list[Settlement]] = {}
        for queue, settlement in batch:
            by_queue.setdefault(queue, []).append(settlement)
        pause, repeated, since = 0.05, False, monotonic()
        refused: list[bytes] | None = None
        while refused is None:
            try:
                refused = await self._store.settle(self._link, by_queue)
            except Unavailable as error:
                repeated |= isinstance(error, OutcomeUnknown)
                if pause == 0.05:
                    log.warning("cannot write %d outcomes: %s; trying on", len(batch), error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
        if pause > 0.05:
            log.info("%d outcomes are written after %.1f s", len(batch), monotonic() - since)
        if refused and not repeated:  # after an unanswered try, a refusal only says that the try had worked
            self.refused += len(refused)
            log.warning("%d outcomes were refused: their jobs had been given to another worker", len(refused))
