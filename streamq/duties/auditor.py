"""Duty: the delivery index and the accounts of the gate are checked, as they can be damaged from outside.

What was delivered and is held by nobody (a consumer was deleted by hand) waits again. Consumers that hold jobs but
are not on the list of workers (the list was deleted by hand) are reclaimed when they are so at two audits. Slots of
jobs that are not past the gate are given up, and whatever else the gate counts is counted right again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.liveness.recovery import recover
from streamq.model.pace import COSTLY
from streamq.model.places import queue_of
from streamq.redis.links import Links
from streamq.store.accounts import Place
from streamq.store.store import Store

log = logging.getLogger("streamq.auditor")

EVERY: Final = 60.0
"""Seconds between two audits of a queue: each walks all that is active, and what it looks for is rarely there."""
PAGES: Final = 20
"""Pages of held jobs, and of groups that wait, that an audit looks at: some hundredths of a second of the server's
time in a minute, whatever their number. The next audit goes on where it has ended."""


class Auditor(Rounds):
    """Audits the queues that ``queues()`` names, once a minute, many less often."""

    each = COSTLY

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__("auditor", store, queues, longest=EVERY, act="audit the deliveries of", links=links)
        self._unlisted: dict[str, set[str]] = {}
        self._places: dict[str, Place] = {}

    async def see_to(self, queue: str) -> int:
        """Repair what is stranded in one queue. Returns how many jobs."""
        repaired = await self._store.recovery.audit(self._links, queue)
        if repaired:
            log.warning(
                "%d jobs on %s were delivered and held by nobody; they wait again", repaired, queue_of(queue)
            )
        before, now = (
            self._unlisted.get(queue, set()),
            set(await self._store.recovery.unlisted(self._links, queue)),
        )
        self._unlisted[queue] = now - before
        for worker in sorted(now & before):
            why = "it is not on the list of workers"
            repaired += (await recover(self._store, self._links, queue, worker, None, why)).jobs
        place = self._places.setdefault(queue, Place(pages=PAGES))
        wrong = await self._store.accounts.compare(self._links, queue, mend=True, place=place)
        if wrong:
            log.warning(
                "the accounts of the gate of %s were wrong, and are mended: %s", queue_of(queue), wrong
            )
        return repaired
