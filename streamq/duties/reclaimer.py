"""Duty: the jobs of lost workers start again.

A worker is lost when its connections are gone from the server (a killed process closes them at once), and stay
gone for a short grace; or, where the network hides that, when it has not beaten for its lease. Both are counted by
this process' monotonic clock from what it saw itself, so no stepped clock and no stalled server can declare a
living worker dead: a look that comes late counts for one interval only, and after a reconnection all starts anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from streamq import job_lines
from streamq.duties.duty import pause
from streamq.duties.trouble import EVERYONE, Troubles, concerns_all
from streamq.errors import Rejected, StreamqError
from streamq.model.clock import monotonic
from streamq.model.shown import shown
from streamq.model.worker_info import WorkerInfo
from streamq.redis.link import Link
from streamq.store.store import Reclaimed, Store
from streamq.store.views import Views

log = logging.getLogger("streamq.reclaimer")

LOOK: Final = 0.75
"""Seconds between two looks at the connections of the others."""
GRACE: Final = 0.6
"""Seconds a worker may be without any connection: it reconnects in a fraction of that."""
LOOKS: Final = 5
"""Looks at the beats in the shortest lease: a worker behind a cut network is found within a lease and a fifth."""
LIST: Final = 4
"""Looks from one reading of the list of workers to the next, when nothing tells of a change."""
SERVER: Final = "the server"
"""What the list of clients is called among the troubles. Without it the lost are found by their leases alone."""


@dataclass(slots=True)
class _Seen:
    beats: bytes
    unchanged: float = 0.0


class Reclaimer:
    """Watches the workers of the queues that ``queues()`` names; ``own`` is this process' own worker, if any.

    Without ``others()`` there is nobody to watch. ``lost`` is called when one is found.
    """

    name = "reclaimer"

    def __init__(
        self, store: Store, views: Views, queues: Callable[[], Sequence[str]], *, own: str = "",
        others: Callable[[], bool] = lambda: True, on_suspects: Callable[[], None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._store, self._views, self._queues, self._own = store, views, queues, own
        self._others, self._on_suspects, self._on_lost = others, on_suspects, on_lost
        self._link = Link(store.servers)
        self._generation = 0
        self._counted = -1e9
        self._looks = 0
        self._troubles, self._lists = (
            Troubles("watch the workers of", log),
            Troubles("list the workers of", log),
        )
        # apart from watching: the beats can be read in many a queue in which a lost worker's jobs cannot be taken
        self._recoveries = Troubles("recover the jobs of lost workers on", log)
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._missing: dict[str, float] = {}
        self._workers: dict[str, WorkerInfo] = {}
        self._held_off_until = 0.0
        self._clients = Troubles("list the clients of", log)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """The queues, or their workers, have changed."""
        self._woken.set()

    async def once(self) -> int:
        """Look at the beats and the connections of all workers; reclaim from the lost. Returns how many jobs."""
        now, reclaimed, woken = monotonic(), 0, self._woken.is_set()
        self._woken.clear()
        queues = self._queues()
        if not queues or not self._others():
            self._seen.clear()
            self._missing.clear()
            self._workers = {}
            return 0
        if woken or now - self._counted >= self._beats_every():
            self._looks = 0 if woken or not self._workers else (self._looks + 1) % LIST
            if self._looks == 0:
                await self._list()
            reclaimed += await self._by_lease(now, queues)
        if self._watching() and now >= self._held_off_until:
            reclaimed += await self._by_connection(now)
        return reclaimed

    async def rest(self) -> None:
        """Briefly while it watches others, else until the beats are due."""
        every = self._beats_every()
        if self._missing:
            every = min(every, GRACE / 2)
        elif self._watching():
            every = min(every, LOOK)
        await pause(every, self._woken)

    def _watching(self) -> bool:
        """Whether to look at connections."""
        return not self._clients.resting(SERVER) and any(name != self._own for name in self._workers)

    def _lease(self, worker: str) -> float:
        """The lease by which a worker lives, or ours where it does not say."""
        info = self._workers.get(worker)
        return info.lease if info and info.lease else self._store.settings.lease

    def _beats_every(self) -> float:
        leases = [self._store.settings.lease, *[self._lease(name) for name in self._workers]]
        return max(0.1, min(leases) / LOOKS)

    def _reconnected(self) -> bool:
        """Whether our connection is another than before: then what was counted is void, as the server was gone."""
        again = self._generation not in (0, self._link.generation)
        self._generation = self._link.generation
        if again:
            self._seen.clear()
            self._missing.clear()
            # they reconnect too, and are listed under their old connections until they say so
            self._held_off_until = monotonic() + self._store.settings.lease
        return again

    async def _list(self) -> None:
        try:
            self._workers = {info.name: info for info in await self._views.workers()}
        except StreamqError as error:
            if concerns_all(error):
                raise
            self._lists.met({EVERYONE: error})  # the last list will do; the beats tell who lives
        else:
            self._lists.over(EVERYONE)

    # -- by lease -------------------------------------------------------------------------------------------

    async def _by_lease(self, now: float, queues: Sequence[str]) -> int:
        elapsed, self._counted = min(now - self._counted, 2 * self._beats_every()), now
        queues = self._troubles.rested(queues)
        counts = await self._store.roster.beats_or_errors(self._link, queues) if queues else {}
        self._reconnected()
        before, self._seen = self._seen, {}
        lost: list[tuple[str, str, bytes, str]] = []
        for queue, beats in counts.items():
            if isinstance(beats, StreamqError):
                self._troubles.met({queue: beats})
                continue
            self._troubles.over(queue)
            if beats.keys() - self._workers.keys():
                self._looks = LIST - 1  # somebody new: the next look begins with the list
            for worker, count in beats.items():
                seen = self._count(before.get((queue, worker)), count, elapsed)
                self._seen[queue, worker] = seen
                if seen.unchanged >= self._lease(worker) and worker != self._own:
                    lost.append((queue, worker, count, f"no beat for {seen.unchanged:.0f} s"))
        return await self._reclaim_each(lost)

    @staticmethod
    def _count(seen: _Seen | None, count: bytes, elapsed: float) -> _Seen:
        if seen is None or seen.beats != count:
            return _Seen(count)  # it lives, or is looked at for the first time: a whole lease from now
        seen.unchanged += elapsed
        return seen

    # -- by connection --------------------------------------------------------------------------------------

    async def _by_connection(self, now: float) -> int:
        watched = {name: info for name, info in self._workers.items() if name != self._own}
        try:
            alive = await self._store.roster.connected(
                self._link, [info.client_id for info in watched.values() if info.client_id]
            )
            if self._reconnected():
                return 0
            # by the name too: a server that was restarted gives the same ids to others
            gone = {name for name, info in watched.items() if alive.get(info.client_id) != name}
            self._missing = {name: self._missing.get(name, now) for name in gone}
            ripe = [name for name, since in self._missing.items() if now - since >= GRACE]
            if not ripe:
                return 0
            named = await self._store.roster.client_names(self._link)
        except Rejected as error:  # the right may come back, as after a change of passwords
            self._clients.met({SERVER: error})
            self._missing.clear()
            return 0
        self._clients.over(SERVER)
        if self._reconnected():
            return 0
        return await self._missed(ripe, watched, named)

    async def _missed(self, ripe: list[str], watched: dict[str, WorkerInfo], named: set[str]) -> int:
        reclaimed = 0
        for name in ripe:
            del self._missing[name]
            if name in named:  # it has reconnected; its new id is in what it says of itself now
                await self._list()
            else:
                reclaimed += await self._vanished(watched[name])
        return reclaimed

    async def _vanished(self, worker: WorkerInfo) -> int:
        counts = await self._store.roster.beats_or_errors(self._link, worker.queues) if worker.queues else {}
        lost = [
            (queue, worker.name, beats[worker.name], "its connections are gone")
            for queue, beats in counts.items()
            if not isinstance(beats, StreamqError) and worker.name in beats
        ]
        if not lost:  # it is on no queue's list: only its introduction is left
            await self._forget(worker.name)
        return await self._reclaim_each(lost)

    # -- what becomes of its jobs ---------------------------------------------------------------------------

    async def _reclaim_each(self, lost: list[tuple[str, str, bytes, str]]) -> int:
        reclaimed = 0
        for queue, worker, beats, why in lost:
            if self._recoveries.resting(queue):
                continue
            try:
                reclaimed += await self._reclaim(queue, worker, beats, why)
            except StreamqError as error:
                if concerns_all(error):
                    raise
                self._recoveries.met({queue: error})
            else:
                self._recoveries.over(queue)
        return reclaimed

    async def _reclaim(self, queue: str, worker: str, beats: bytes, why: str) -> int:
        done = await self._store.reclaim(self._link, queue, worker, beats)
        if done.beaten:
            return 0
        self._seen.pop((queue, worker), None)
        report(queue, worker, done, why)
        if done.suspects:
            self._on_suspects()
        await self._forget(worker)
        return done.again + done.suspects + done.failed

    async def _forget(self, worker: str) -> None:
        """Take one that no queue lists any more off the list of all, and out of its seats."""
        info = self._workers.get(worker)
        queues = sorted({*self._queues(), *(info.queues if info else ())})
        counts = await self._store.roster.beats_or_errors(self._link, queues)
        if any(not isinstance(beats, StreamqError) and worker in beats for beats in counts.values()):
            return
        await self._store.roster.forget(worker, info.token if info else "")
        await self._store.roster.vacate(self._link, queues, worker)
        self._workers.pop(worker, None)
        self._on_lost()

    async def close(self) -> None:
        """Drop the connection."""
        await self._link.close()


def report(queue: str, worker: str, done: Reclaimed, why: str) -> None:
    """One line for the log with the ids of the first jobs, and one for each of them that has failed by this."""
    ids = ", ".join(job for job, _, _ in done.first)
    more = "" if len(done.first) == done.again + done.suspects + done.failed else ", ..."
    fates = {
        "start again": done.again,
        "start again alone": done.suspects,
        "failed by crashing too often": done.failed,
    }
    said = ", ".join(f"{count} {fate}" for fate, count in fates.items() if count)
    had = f"of its jobs on {queue} {said}: {ids}{more}" if said else f"it had no job of {queue}"
    log.warning("worker %s is lost (%s): %s", shown(worker, 100), why, had)
    for job, fate, task in done.first:
        if fate == "failed":
            said = "its worker was lost too often while it ran; the job has failed for good"
            job_lines.tell(
                logging.ERROR, f"{shown(task, 100)} {job} {said}", job=job, queue=queue, task=task, worker=worker,
                outcome="failed", error="Crashed: " + said.partition(";")[0],
            )  # fmt: skip
