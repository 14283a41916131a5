"""The self-audit: jobs that the server counts as this worker's and that it never saw go back, uncharged.

An answer with jobs in it can be lost with its connection; and a read that we gave up can stay blocked at the server,
behind a proxy that closes its two sides at different times, and take a job long after. Such jobs would be active for
as long as this worker lives, since nobody takes anything from a living one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from streamq.model.clock import monotonic
from streamq.model.lanes import ALONE, NUMBERS
from streamq.redis.links import Links
from streamq.store.reader import Reader
from streamq.store.store import Store
from streamq.worker.slots import Slots

log = logging.getLogger("streamq.fetcher")

EVERY: Final = 30.0
"""Seconds between two audits while nothing is amiss: one command then, for what no lost answer has told of."""


class Unseen:
    """Compares what the server thinks this worker has with what is in its ``slots``. Only for between two reads."""

    def __init__(
        self, store: Store, links: Links, reader: Reader, queues: tuple[str, ...], worker: str, slots: Slots
    ) -> None:
        self._store, self._links, self._reader = store, links, reader
        self._queues, self._worker, self._slots = queues, worker, slots
        self._due = monotonic() + EVERY
        self._thorough = False

    @property
    def due(self) -> bool:
        """Whether it is time for an audit."""
        return monotonic() >= self._due

    def suspected(self) -> None:
        """An answer was lost, or the connection is a new one: audit before the next read, all lanes."""
        self._due, self._thorough = 0.0, True

    async def audit(self, with_suspects: Iterable[str]) -> None:
        """Audit, if it is time for it. Raises ``Unavailable``."""
        if self.due:
            if await self._reader.greet(lambda: self._queues):
                self.suspected()
            await self.give_back(with_suspects)

    async def give_back(self, with_suspects: Iterable[str]) -> int:
        """Release what is pending and not known here. Returns how many jobs wait again.

        ``with_suspects`` are the queues whose lane of suspects is not empty; the others' is left out, as a command
        saved.
        Raises ``Unavailable``; then the audit stays due.
        """
        places = [(queue, lane) for queue in self._queues for lane in NUMBERS if lane != ALONE]
        places += [(queue, ALONE) for queue in (self._queues if self._thorough else with_suspects)]
        found = await self._store.delivery.pending(self._links, places, self._worker)
        # asked last: what has ended meanwhile is no longer pending either, so its release finds nothing
        known = self._slots.places() if found else set()
        unseen: dict[str, list[tuple[int, bytes]]] = {}
        for (queue, lane), entries in found.items():
            lost = [(lane, entry) for entry in entries if (queue, lane, entry) not in known]
            if lost:
                unseen.setdefault(queue, []).extend(lost)
        back = 0
        for queue, jobs in unseen.items():
            count = await self._store.delivery.release(self._links, queue, jobs)
            if count:
                log.warning(
                    "%d jobs on %s were delivered here and never arrived; they wait again", count, queue
                )
            back += count
        self._due, self._thorough = monotonic() + EVERY, False
        return back
