"""Duty: the delivery index is checked, as it can be damaged from outside.

What was delivered and is held by nobody (a consumer was deleted by hand) waits again. Consumers that hold jobs but
are not on the list of workers (the list was deleted by hand) are reclaimed when they are so at two audits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from streamq.connection import Link
from streamq.store import Store
from streamq.worker.reclaimer import report

log = logging.getLogger("streamq.auditor")

EVERY: Final = 60.0


class Auditor:
    """Audits the queues that ``queues()`` names, once a minute."""

    name = "auditor"

    def __init__(self, store: Store, queues: Callable[[], Sequence[str]]) -> None:
        self._store, self._queues = store, queues
        self._link = Link(store.servers)
        self._unlisted: set[tuple[str, str]] = set()

    async def once(self) -> int:
        """Repair what is stranded. Returns how many jobs."""
        repaired, unlisted = 0, set()
        for queue in self._queues():
            stranded = await self._store.audit(self._link, queue)
            if stranded:
                log.warning(
                    "%d jobs on %s were delivered and held by nobody; they wait again", stranded, queue
                )
            repaired += stranded
            for worker in await self._store.unlisted(self._link, queue):
                if (queue, worker) in self._unlisted:
                    done = await self._store.reclaim(self._link, queue, worker, None)
                    report(queue, worker, done, "it is not on the list of workers")
                    repaired += done.again + done.suspects + done.failed
                else:
                    unlisted.add((queue, worker))
        self._unlisted = unlisted
        return repaired

    async def rest(self) -> None:
        """A minute."""
        await asyncio.sleep(EVERY)

    async def close(self) -> None:
        """Drop the connection."""
        await self._link.close()
