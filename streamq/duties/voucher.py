"""Duty: vouch for the processes of this host that cannot beat.

A C call that holds the interpreter's lock for longer than the lease keeps even the thread of the heartbeat from
running, though the process works. Who shares its host sees that it does, and beats on its behalf: until it beats
itself again, or for as long as a blocked loop is tolerated there. A stopped process is not vouched for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from streamq.duties.duty import Wakeable
from streamq.errors import Rejected
from streamq.liveness import host
from streamq.model.clock import monotonic
from streamq.model.pace import is_many
from streamq.model.places import queue_of
from streamq.model.worker_info import WorkerInfo
from streamq.redis.links import Links
from streamq.redis.troubles import EVERYONE, Troubles
from streamq.store.store import Store

log = logging.getLogger("streamq.voucher")

LIST: Final = 12
"""Beats from one look at the list of workers to the next, when their number has not changed: a minute."""
LOOKED_AFTER: Final = 3
"""Workers of its host that a worker looks after: so as many look after it, and one of them will be able to."""
HOME: Final = "all queues"
"""Where a worker with many queues is looked after: no queue has such a name."""
LOOKS: Final = 0.8
"""Beats between two looks at theirs: less than one, so that each of their beats is seen."""


@dataclass(slots=True)
class _Silent:
    beats: int
    seconds: float = 0.0
    vouched: bool = False


class Voucher(Wakeable):
    """Beats for workers of the same host on the queues that ``queues()`` names; ``own`` is this process' worker."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, own: str = "", links: Links | None = None
    ) -> None:
        super().__init__("voucher", store, links)
        self._queues, self._own = queues, own
        self._troubles = Troubles("vouch for workers of", log)
        self._lists = Troubles("list the workers of", log)
        self._mates: dict[str, WorkerInfo] = {}
        self._silent: dict[tuple[str, str], _Silent] = {}
        self._looked = -1e9
        self._list_due = 0.0

    def wake(self) -> None:
        """The workers may have changed."""
        self._list_due = 0.0
        super().wake()

    async def once(self) -> int:
        """Look at the beats of the host's other workers. Returns for how many it beat."""
        self._woken.clear()
        now = monotonic()
        elapsed, self._looked = min(now - self._looked, 2 * self._every()), now
        if now >= self._list_due:
            self._list_due = now + LIST * self._store.settings.beat
            await self._list()
        if not self._mates:
            self._silent.clear()
            return 0
        counts = await self._counts()
        before, self._silent = self._silent, {}
        return sum(
            [await self._look(pair, count, before.get(pair), elapsed) for pair, count in counts.items()]
        )

    async def _counts(self) -> dict[tuple[str, str], bytes]:
        """By queue and worker, how often each has beaten; under ``HOME`` of those with many queues, how often each has
        told the home of all workers what it does."""
        few = [mate for mate in self._mates.values() if not is_many(len(mate.queues))]
        asked = {queue: [mate.name for mate in few if queue in mate.queues] for queue in self._queues()}
        workers = self._store.workers
        counts = await workers.beats_of(self._links, asked)
        many = [mate.name for mate in self._mates.values() if is_many(len(mate.queues))]
        at_home = await workers.beats_at_home(self._links, many)
        return counts | {(HOME, name): count for name, count in at_home.items()}

    async def _list(self) -> None:
        try:
            self._mates = {
                info.name: info for info in self._next(await self._store.workers.listed(self._links))
            }
        except Rejected as error:  # the last list will do
            self._lists.met({EVERYONE: error})
        else:
            self._lists.over(EVERYONE)

    def _next(self, workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
        """Those of this host that come next after our own worker by name: each looks after a few, whatever their
        number. Who has no worker looks after all."""
        mates = [info for info in workers if self._is_mate(info)]
        if not self._own:
            return mates
        after = [info for info in mates if info.name > self._own]
        return [*after, *mates[: len(mates) - len(after)]][:LOOKED_AFTER]

    def _is_mate(self, info: WorkerInfo) -> bool:
        return info.name != self._own and info.host_id == host.host_id() != "" and info.process_start > 0

    async def _look(
        self, pair: tuple[str, str], count: bytes, silent: _Silent | None, elapsed: float
    ) -> bool:
        queue, name = pair
        mate = self._mates[name]
        if silent is None or silent.beats != int(float(count)):  # a fraction is what others beat for it
            self._silent[pair] = _Silent(int(float(count)))
            return False
        self._silent[pair] = silent
        silent.seconds += elapsed
        if not self._patience(mate) <= silent.seconds < (mate.stuck or self._store.settings.stuck):
            return False
        if not host.runs(mate.pid, mate.process_start):
            return False
        if not silent.vouched:
            on = queue_of(queue)
            if not any(
                each.vouched for (of, who), each in self._silent.items() if (queue_of(of), who) == (on, name)
            ):
                log.warning(
                    "worker %s on %s has not beaten for %.1f s, but its process runs",
                    name,
                    on,
                    silent.seconds,
                )
            silent.vouched = True
        try:
            vouched = await self._vouch(queue, name, count)
        except Rejected as error:
            self._troubles.met({queue: error})
            return False
        self._troubles.over(queue)
        return vouched

    async def _vouch(self, queue: str, name: str, count: bytes) -> bool:
        if queue == HOME:
            return await self._store.workers.vouch_at_home(self._links, name, count)
        return await self._store.workers.vouch(self._links, queue, name, count)

    def _patience(self, mate: WorkerInfo) -> float:
        """Seconds without a beat of its own after which others beat for it: well before its lease is over."""
        lease, beat = mate.lease or self._store.settings.lease, mate.beat or self._store.settings.beat
        return min(2 * beat, lease / 2)

    def _every(self) -> float:
        beats = [mate.beat for mate in self._mates.values() if mate.beat]
        return max(0.1, min(beats, default=self._store.settings.beat) * LOOKS)

    async def rest(self) -> None:
        """Less than a beat while there is somebody to look after."""
        until_list = max(0.0, self._list_due - monotonic())
        await self._pause(min(self._every(), until_list) if self._mates else until_list)
