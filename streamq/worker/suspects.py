"""Suspects: jobs one crash below the crash limit. Each runs in a worker that runs nothing else.

An idle worker takes one at once. A busy one would have to stop fetching until it is idle, so at most one worker of a
queue does that (it has the queue's claim), only as long as a suspect waits, and for a bounded time, its patience: then
it fetches again, and another worker may try. The patience doubles each time.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streamq.errors import Rejected, StreamqError
from streamq.model.clock import monotonic
from streamq.model.lanes import ALONE
from streamq.model.places import queue_of
from streamq.redis.answers import NoGroup
from streamq.redis.links import Links
from streamq.redis.troubles import Troubles
from streamq.store.store import Store
from streamq.worker.runner import Runner
from streamq.worker.slots import Slots
from streamq.worker.steered import Steered
from streamq.worker.unseen import Unseen

log = logging.getLogger("streamq.fetcher")

LOOK: Final = 10.0
"""Seconds between two checks for suspects: they are rare, and a worker that recovers one checks at once."""
AGAIN: Final = 1.0
"""Seconds between two checks that the suspect a worker waits for is still there: its free slots idle meanwhile."""
CLAIM_MS: Final = 4_000
"""How long a claim outlives its worker: it is renewed at every check, and three of them may fail."""
PATIENCE: Final = (10.0, 300.0)
"""Seconds a worker waits until it is idle: the first time, in which most jobs end, and at most."""
REST: Final = 3
"""After a wait in vain a worker fetches for this many times as long before it claims again: so a suspect costs at
most a quarter of one worker."""


@dataclass(slots=True)
class _Patience:
    seconds: float
    rests_until: float = 0.0


class Suspects:
    """Runs the suspects of one worker's queues. While it waits, the self-audits of ``unseen`` go on."""

    def __init__(
        self,
        store: Store,
        links: Links,
        worker: str,
        slots: Slots,
        runner: Runner,
        unseen: Unseen,
        steered: Steered,
    ) -> None:
        self._store, self._links, self._worker, self._slots = store, links, worker, slots
        self._runner, self._unseen, self._steered = runner, unseen, steered
        self._due, self._is_told = 0.0, True
        self._patience: dict[str, _Patience] = {}
        self._trouble = Troubles("look for suspects of", log)
        self.present: set[str] = set()
        """The queues whose lane of suspects was not empty at the last check."""

    @property
    def due(self) -> bool:
        """Whether it is time for a check."""
        return monotonic() >= self._due

    def look(self) -> None:
        """Make a check due: there may be suspects now."""
        self._due, self._is_told = 0.0, True

    async def see_to(self, queues: Sequence[str]) -> None:
        """Run the suspects that wait in these queues, if this worker is idle or gets the claim."""
        if not self._is_told:
            queues = self._steered.occupied(queues)
        self._due, self._is_told = monotonic() + LOOK, False
        for queue in await self._waiting([q for q in queues if not self._trouble.resting(q)]):
            try:
                await self._see_to(queue)
                self._trouble.over(queue)
            except NoGroup:
                await self._join(queue)
            except Rejected as error:
                self._trouble.met({queue: error})

    async def _waiting(self, queues: Sequence[str]) -> list[str]:
        """The queues in which suspects wait."""
        depths = await self._store.delivery.depths(self._links, [(queue, ALONE) for queue in queues])
        self.present = {queue for queue, _ in depths.waiting}
        waiting = [queue for (queue, _), count in depths.waiting.items() if count > 0]
        for queue in self._patience.keys() - set(waiting):
            del self._patience[queue]
        self._book(depths.refused, queues)
        return waiting

    def _book(self, refused: dict[str, StreamqError], queues: Sequence[str]) -> None:
        if refused:
            self._trouble.met(refused)
        if self._trouble:
            for queue in queues:
                if queue not in refused and queue not in self.present:
                    self._trouble.over(queue)

    async def _join(self, queue: str) -> None:
        try:
            await self._store.delivery.join(self._links, (queue,))
        except Rejected as error:
            self._trouble.met({queue: error})

    async def _see_to(self, queue: str) -> None:
        if self._slots.idle:
            await self._run_alone(queue)
            return
        patience = self._patience.setdefault(queue, _Patience(PATIENCE[0]))
        if monotonic() < patience.rests_until:
            return
        try:
            idle = await self._until_idle(queue, monotonic() + patience.seconds)
            if idle:
                await self._run_alone(queue)
            elif idle is False:
                patience.rests_until = monotonic() + REST * patience.seconds
                patience.seconds = min(PATIENCE[1], 2 * patience.seconds)
        finally:
            if self._links.connected:  # without a connection the claim expires by itself
                await self._store.delivery.claim_suspect(self._links, queue, self._worker, 0)

    async def _until_idle(self, queue: str, deadline: float) -> bool | None:
        """Wait under the claim; ``None`` at a stop or without claim or suspect, ``False`` when it took too long."""
        while await self._store.delivery.claim_suspect(self._links, queue, self._worker, CLAIM_MS):
            again = monotonic() + AGAIN
            while monotonic() < again:
                if self._slots.stopping:
                    return None
                if self._slots.idle:
                    return True
                await self._slots.change()
            if monotonic() >= deadline:
                log.info(
                    "a suspect of %s waits for an idle worker; this one is busy and fetches on",
                    queue_of(queue),
                )
                return False
            await self._unseen.audit(self.present)
        return None

    async def _run_alone(self, queue: str) -> None:
        """Run the queue's suspects one after the other, with nothing beside them."""
        while not self._slots.stopping:
            lane, entries = await self._store.delivery.fetch(self._links, queue, self._worker, 1)
            self._runner.start_each(queue, lane, entries)
            if lane != ALONE:
                return  # another worker took the suspect: this is an ordinary job, or none
            self._due = 0.0  # where there was one there may be another, in another queue too
            log.info("a suspect of %s runs alone", queue_of(queue))
            while not self._slots.idle and not self._slots.stopping:
                await self._slots.change()
                await self._unseen.audit(self.present)
