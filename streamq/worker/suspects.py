"""Suspects: jobs that crashed their workers next to the limit. Each runs in a worker that runs nothing else.

An idle worker takes one at once. A busy one would have to stop fetching until it is idle, so at most one worker of a
queue does that (it has the queue's claim), only as long as a suspect waits, and not for ever: after its patience it
fetches on, and another may try. Patience doubles with each vain wait.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streamq.errors import Rejected, StreamqError
from streamq.model.clock import monotonic
from streamq.model.lanes import ALONE
from streamq.redis.answers import NoGroup
from streamq.redis.links import Links
from streamq.redis.troubles import Troubles
from streamq.store.store import Store
from streamq.worker.runner import Runner
from streamq.worker.slots import Slots
from streamq.worker.unseen import Unseen

log = logging.getLogger("streamq.fetcher")

LOOK: Final = 10.0
"""Seconds between two looks for suspects: they are rare, and whoever makes one has its own worker look at once."""
AGAIN: Final = 1.0
"""Seconds between two looks whether the suspect that a worker waits for is still there: slots stand idle for it."""
CLAIM_MS: Final = 4_000
"""How long a claim outlives the worker that took it; it is renewed at every look, so three may come late."""
PATIENCE: Final = (10.0, 300.0)
"""Seconds a worker waits until it is idle: the first time, and at most. Most jobs end within the first."""
REST: Final = 3
"""How many times as long as it has waited in vain a worker fetches on before it claims again: so a suspect costs a
quarter of one worker at most."""


@dataclass(slots=True)
class _Patience:
    seconds: float
    rests_until: float = 0.0


class Suspects:
    """Sees to the suspects of one worker's queues. While it waits, the self-audits of ``unseen`` go on."""

    def __init__(
        self, store: Store, links: Links, worker: str, slots: Slots, runner: Runner, unseen: Unseen
    ) -> None:
        self._store, self._links, self._worker, self._slots = store, links, worker, slots
        self._runner, self._unseen = runner, unseen
        self._due = 0.0
        self._patience: dict[str, _Patience] = {}
        self._trouble = Troubles("look for suspects of", log)
        self.present: set[str] = set()
        """The queues whose lane of suspects was not empty at the last look."""

    @property
    def due(self) -> bool:
        """Whether it is time for a look."""
        return monotonic() >= self._due

    def look(self) -> None:
        """There may be some now."""
        self._due = 0.0

    async def see_to(self, queues: Sequence[str]) -> None:
        """Run the suspects that wait in these queues, as far as it is for this worker to do so."""
        self._due = monotonic() + LOOK
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
        told = await self._store.delivery.depths(self._links, queues, ALONE)
        self.present = set(told.waiting)
        waiting = [queue for queue, count in told.waiting.items() if count > 0]
        for queue in self._patience.keys() - set(waiting):
            del self._patience[queue]
        self._book(told.refused, queues)
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
            if self._links.connected:  # else the claim ends by itself
                await self._store.delivery.claim_suspect(self._links, queue, self._worker, 0)

    async def _until_idle(self, queue: str, deadline: float) -> bool | None:
        """Wait as the only worker; ``None`` when there is no need (any more), ``False`` when it took too long."""
        while await self._store.delivery.claim_suspect(self._links, queue, self._worker, CLAIM_MS):
            again = monotonic() + AGAIN
            while monotonic() < again:
                if self._slots.stopping:
                    return None
                if self._slots.idle:
                    return True
                await self._slots.change()
            if monotonic() >= deadline:
                log.info("a suspect of %s waits for an idle worker; this one is busy and fetches on", queue)
                return False
            await self._unseen.audit(self.present)
        return None

    async def _run_alone(self, queue: str) -> None:
        """Run the queue's suspects one after the other, with nothing beside them."""
        while not self._slots.stopping:
            lane, entries = await self._store.delivery.fetch(self._links, queue, self._worker, 1)
            self._runner.start_each(queue, lane, entries)
            if lane != ALONE:
                return  # somebody else was faster: this is an ordinary job, or none
            self._due = 0.0  # where there was one there may be another, in another queue too
            log.info("a suspect of %s runs alone", queue)
            while not self._slots.idle and not self._slots.stopping:
                await self._slots.change()
                await self._unseen.audit(self.present)
