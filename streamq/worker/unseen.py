"""The self-audit: jobs that are pending under this worker and never reached it are given back, uncharged.

A reply with jobs can be lost with its connection; and a read that we gave up can stay blocked at the server, behind a
proxy that closes its two sides at different times, and take a job long after. Such jobs would be active for as long as
this worker lives, since recovery takes jobs from lost workers only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from streamq.model.clock import monotonic
from streamq.model.lanes import ALONE
from streamq.model.places import queue_of
from streamq.redis.links import Links
from streamq.store.reader import Reader
from streamq.store.store import Store
from streamq.worker.slots import Slots
from streamq.worker.steered import Steered

log = logging.getLogger("streamq.fetcher")

EVERY: Final = 30.0
"""Seconds between two audits without a known loss, one command each: some lost replies leave no sign here."""


class Unseen:
    """Compares what is pending under this worker with what is in its ``slots``. To be called between two reads only."""

    def __init__(
        self, store: Store, links: Links, reader: Reader, queues: Sequence[str], worker: str, slots: Slots,
        steered: Steered,
    ) -> None:  # fmt: skip
        self._store, self._links, self._reader = store, links, reader
        self._queues, self._worker, self._slots = queues, worker, slots
        self._steered, self._due, self._thorough = steered, monotonic() + EVERY, False

    @property
    def due(self) -> bool:
        """Whether it is time for an audit."""
        return monotonic() >= self._due

    def suspected(self) -> None:
        """A reply was lost, or the connection is new: audit all lanes before the next read."""
        self._due, self._thorough = 0.0, True

    async def audit(self, with_suspects: Iterable[str]) -> None:
        """Audit, if it is time for it. Raises ``Unavailable``."""
        if self.due:
            if await self._reader.greet():
                self.suspected()
            await self.give_back(with_suspects)

    async def give_back(self, with_suspects: Iterable[str]) -> int:
        """Release what is pending here and unknown. Returns how many jobs wait again.

        ``with_suspects`` are the queues whose lane of suspects is not empty; the others' is skipped, to save a
        command.
        Raises ``Unavailable``; then the audit stays due.
        """
        queues = self._queues if self._thorough else self._steered.occupied(self._queues)
        places = [(queue, lane) for queue in queues for lane in self._steered.lanes(queue)]
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
                    "%d jobs on %s were delivered here and never arrived; they wait again",
                    count,
                    queue_of(queue),
                )
            back += count
        self._due, self._thorough = monotonic() + EVERY, False
        return back
