"""Duty: the jobs of lost workers start again. ``lost`` says who is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from streamq.duties.duty import Wakeable
from streamq.duties.lost import Lost, Watch
from streamq.errors import StreamqError
from streamq.liveness.recovery import forget, recover
from streamq.model.clock import monotonic
from streamq.redis.links import Links
from streamq.redis.troubles import Troubles
from streamq.store.store import Store

log = logging.getLogger("streamq.reclaimer")

LIST: Final = 4
"""Looks at the beats from one reading of the list of workers to the next, when nothing tells of a change."""


class Reclaimer(Wakeable):
    """Watches the workers of the queues that ``queues()`` names; ``own`` is this process' own worker, if any.

    Without ``others()`` there is nobody to watch. ``on_lost`` is called when one is found, and ``on_suspects`` when
    a job of it is to run alone.
    """

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, own: str = "",
        others: Callable[[], bool] = lambda: True, on_suspects: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None, links: Links | None = None,
    ) -> None:  # fmt: skip
        super().__init__("reclaimer", store, links)
        self._queues, self._others, self._on_suspects, self._on_lost = queues, others, on_suspects, on_lost
        self.watch = Watch(store, self._links, own)
        self._looks = 0
        # apart from watching: the beats can be read in many a queue in which a lost worker's jobs cannot be taken
        self._troubles = Troubles("recover the jobs of lost workers on", log)

    async def once(self) -> int:
        """Look at the beats and the connections of all workers; reclaim from the lost. Returns how many jobs."""
        now, recovered, woken, watch = monotonic(), 0, self._woken.is_set(), self.watch
        self._woken.clear()
        queues = self._queues()
        if not queues or not self._others():
            watch.forget_all()
            return 0
        if woken or watch.beats_are_due(now):
            self._looks = 0 if woken or watch.has_unlisted or not watch.workers else (self._looks + 1) % LIST
            if self._looks == 0:
                watch.has_unlisted = False
                await watch.read_list()
            recovered += await self._recover_each(await watch.by_lease(now, queues))
        for server, worker in await watch.by_connection(now, queues):
            if lost := await watch.queues_of(server, worker):
                recovered += await self._recover_each(lost)
            else:  # no queue lists it: only its introduction is left
                await self._forget(worker)
        return recovered

    async def rest(self) -> None:
        """Briefly while it watches others, else until the beats are due."""
        await self._pause(self.watch.rest())

    async def _recover_each(self, lost: Sequence[Lost]) -> int:
        by_queue: dict[str, list[Lost]] = {}
        for each in lost:
            by_queue.setdefault(each.queue, []).append(each)

        async def recover_all(queue: str) -> int:
            return sum([await self._recover(*each) for each in by_queue[queue]])

        return await self._troubles.each(list(by_queue), recover_all, self._store.servers.of)

    async def _recover(self, queue: str, worker: str, beats: bytes, why: str) -> int:
        done = await recover(self._store, self._links, queue, worker, beats, why)
        if done.beaten:
            return 0
        self.watch.recovered(queue, worker)
        if done.suspects:
            self._on_suspects()
        await self._forget(worker)
        return done.jobs

    async def _forget(self, worker: str) -> None:
        """Take one that no queue lists any more off the list of all, and out of its seats."""
        info = self.watch.workers.get(worker)
        queues = sorted({*self._queues(), *(info.queues if info else ())})
        counts = await self._store.workers.beats_or_errors(self._links, queues)
        if any(not isinstance(beats, StreamqError) and worker in beats for beats in counts.values()):
            return
        await forget(self._store, self._links, worker, queues, info.token if info else "")
        self.watch.workers.pop(worker, None)
        self._on_lost()
