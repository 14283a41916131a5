"""Duty: the delivery index is checked, as it can be damaged from outside.

What was delivered and is held by nobody (a consumer was deleted by hand) waits again. Consumers that hold jobs but
are not on the list of workers (the list was deleted by hand) are reclaimed when they are so at two audits. The accounts
of the gate are compared with the jobs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Rounds
from streamq.liveness.recovery import recover
from streamq.redis.links import Links
from streamq.store.store import Store

log = logging.getLogger("streamq.auditor")

EVERY: Final = 60.0
"""Seconds between two audits of a queue: each walks all that is active, and what it looks for is rarely there."""


class Auditor(Rounds):
    """Audits the queues that ``queues()`` names, once a minute."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__("auditor", store, queues, longest=EVERY, act="audit the deliveries of", links=links)
        self._unlisted: dict[str, set[str]] = {}

    async def see_to(self, queue: str) -> int:
        """Repair what is stranded in one queue. Returns how many jobs."""
        repaired = await self._store.recovery.audit(self._links, queue)
        if repaired:
            log.warning("%d jobs on %s were delivered and held by nobody; they wait again", repaired, queue)
        gate = await self._store.recovery.audit_gate(self._links, queue, whole=False)
        if gate.wrong:
            said = "; ".join(gate.first)
            log.warning(
                "%d accounts of the gate of %s were wrong, and are mended: %s", gate.wrong, queue, said
            )
            repaired += gate.wrong
        before, now = (
            self._unlisted.get(queue, set()),
            set(await self._store.recovery.unlisted(self._links, queue)),
        )
        self._unlisted[queue] = now - before
        for worker in sorted(now & before):
            why = "it is not on the list of workers"
            repaired += (await recover(self._store, self._links, queue, worker, None, why)).jobs
        return repaired
