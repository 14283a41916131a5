"""Duty: the jobs of lost workers start again.

A worker is lost when its connections are gone from the server (a killed process closes them at once), and stay
gone for a short grace; or, where the network hides that, when it has not beaten for a lease. Both are counted by
this process' monotonic clock from what it saw itself, so no stepped clock and no stalled server can declare a
living worker dead: a look that comes late counts for one interval only, and after a reconnection all starts anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from streamq.clock import monotonic
from streamq.connection import Link
from streamq.errors import Rejected
from streamq.job import WorkerInfo
from streamq.store import Reclaimed, Store
from streamq.views import Views

log = logging.getLogger("streamq.reclaimer")

LOOK: Final = 0.75
"""Seconds between two looks at the connections of the others."""
GRACE: Final = 0.6
"""Seconds a worker may be without any connection: it reconnects in a fraction of that."""


@dataclass(slots=True)
class _Seen:
    beats: bytes
    unchanged: float = 0.0


class Reclaimer:
    """Watches the workers of the queues that ``queues()`` names; ``name`` is this process' own worker, if any."""

    name = "reclaimer"

    def __init__(
        self, store: Store, views: Views, queues: Callable[[], Sequence[str]], *, own: str = "",
        on_suspects: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store, self._views, self._queues, self._own = store, views, queues, own
        self._on_suspects = on_suspects
        self._link = Link(store.servers)
        self._generation = 0
        self._beats_every = store.settings.lease / 3
        self._counted = -1e9
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._missing: dict[str, float] = {}
        self._workers: list[WorkerInfo] = []
        self._held_off_until = 0.0
        self._may_list = True

    async def once(self) -> int:
        """Look at the beats and the connections of all workers; reclaim from the lost. Returns how many jobs."""
        now, reclaimed = monotonic(), 0
        if now - self._counted >= self._beats_every:
            reclaimed += await self._by_lease(now)
        if self._watching() and now >= self._held_off_until:
            reclaimed += await self._by_connection(now)
        if self._generation not in (0, self._link.generation):
            self._seen.clear()
            self._missing.clear()
            self._held_off_until = monotonic() + self._store.settings.lease
        self._generation = self._link.generation
        return reclaimed

    async def rest(self) -> None:
        """Briefly while it watches others, else until the beats are due."""
        if self._missing:
            await asyncio.sleep(GRACE / 2)
        else:
            await asyncio.sleep(LOOK if self._watching() else self._beats_every)

    def _watching(self) -> bool:
        """Whether to look at connections: two workers (and every scheduler) do, the rest trust them."""
        others = [worker.name for worker in self._workers if worker.name != self._own]
        return (
            self._may_list
            and bool(others)
            and (not self._own or sum(name < self._own for name in others) < 2)
        )

    # -- by lease -------------------------------------------------------------------------------------------

    async def _by_lease(self, now: float) -> int:
        elapsed, self._counted = min(now - self._counted, 2 * self._beats_every), now
        queues, reclaimed = self._queues(), 0
        self._workers = await self._views.workers()
        beats = await self._store.beats(self._link, queues)
        current = {(queue, worker): count for queue in queues for worker, count in beats[queue].items()}
        before, self._seen = self._seen, {}
        for (queue, worker), count in current.items():
            seen = before.get((queue, worker))
            if seen is None or seen.beats != count:
                seen = _Seen(count)  # it lives, or is looked at for the first time: a whole lease from now
            else:
                seen.unchanged += elapsed
            self._seen[queue, worker] = seen
            if seen.unchanged >= self._store.settings.lease and worker != self._own:
                reclaimed += await self._reclaim(queue, worker, count, f"no beat for {seen.unchanged:.0f} s")
        return reclaimed

    # -- by connection --------------------------------------------------------------------------------------

    async def _by_connection(self, now: float) -> int:
        watched = {
            worker.name: worker for worker in self._workers if worker.name != self._own and worker.client_id
        }
        try:
            alive = await self._store.connected(self._link, [worker.client_id for worker in watched.values()])
            gone = {name for name, worker in watched.items() if worker.client_id not in alive}
            self._missing = {name: self._missing.get(name, now) for name in gone}
            ripe = [name for name, since in self._missing.items() if now - since >= GRACE]
            if not ripe:
                return 0
            named = await self._store.client_names(self._link)
        except Rejected as error:
            self._may_list = False
            log.warning(
                "may not list the server's clients (%s): lost workers are found by their lease alone", error
            )
            return 0
        reclaimed = 0
        for name in ripe:
            del self._missing[name]
            if name in named:  # it has reconnected; its new id is in what it says of itself now
                self._workers = await self._views.workers()
            else:
                reclaimed += await self._vanished(watched[name])
        return reclaimed

    async def _vanished(self, worker: WorkerInfo) -> int:
        reclaimed = 0
        beats = await self._store.beats(self._link, worker.queues)
        for queue in worker.queues:
            if worker.name in beats[queue]:
                reclaimed += await self._reclaim(
                    queue, worker.name, beats[queue][worker.name], "its connections are gone"
                )
        await self._store.forget(worker.name)
        self._workers = [other for other in self._workers if other.name != worker.name]
        return reclaimed

    async def _reclaim(self, queue: str, worker: str, beats: bytes, why: str) -> int:
        done = await self._store.reclaim(self._link, queue, worker, beats)
        if done.beaten:
            return 0
        self._seen.pop((queue, worker), None)
        report(queue, worker, done, why)
        if done.suspects:
            self._on_suspects()
        if not any(
            worker in counts for counts in (await self._store.beats(self._link, self._queues())).values()
        ):
            await self._store.forget(worker)
        return done.again + done.suspects + done.failed

    async def close(self) -> None:
        """Drop the connection."""
        await self._link.close()


def report(queue: str, worker: str, done: Reclaimed, why: str) -> None:
    """One line for the log."""
    log.warning(
        "worker %s is lost (%s): of its jobs on %s %d start again, %d alone, %d failed by crashing too often",
        worker, why, queue, done.again, done.suspects, done.failed,
    )  # fmt: skip
