"""The looks for lost workers: by their beats and by their connections. They write nothing.

A worker is lost when its connections are gone from the server (a killed process closes them at once), and stay
gone for a short grace; or, where the network hides that, when it has not beaten for its lease. Both are counted by
this process' monotonic clock from what it saw itself, so no stepped clock and no stalled server can declare a
living worker dead: a look that comes late counts for one interval only, and after a reconnection all starts again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from streamq.errors import Rejected, StreamqError
from streamq.liveness.recovery import GRACE
from streamq.model.clock import monotonic
from streamq.model.pace import is_many
from streamq.model.worker_info import WorkerInfo
from streamq.redis.answers import concerns_all
from streamq.redis.links import Links
from streamq.redis.server import Server
from streamq.redis.troubles import EVERYONE, Troubles
from streamq.store.store import Store

log = logging.getLogger("streamq.reclaimer")

LOOK: Final = 0.4
"""Seconds between two looks at the connections of the others: with the grace, jobs start again within a second of the
end of a process."""
LOOK_AT_MANY: Final = 3.0
"""The same of a process that watches many queues, and has much else to ask."""
LOOKS: Final = 5
"""Looks at the beats in the shortest lease: a worker behind a cut network is found within a lease and a fifth."""
HOME: Final = "the last sign of each"
"""What the list of the signs of all workers is called among the troubles. Without it their beats count alone."""
SERVER: Final = "the server"
"""What the list of clients is called among the troubles. Without it the lost are found by their leases alone."""


class Lost(NamedTuple):
    """A worker that is lost to a queue: its beats as they were last seen, and how it was found."""

    queue: str
    worker: str
    beats: bytes
    why: str


Beats = tuple[bytes, bytes | None]
"""How often a worker has beaten in a queue, and told all workers' home what it does: who does either lives."""


@dataclass(slots=True)
class _Seen:
    beats: Beats | bytes
    unchanged: float = 0.0


class Watch:
    """What one process has seen of the workers on its list; ``own`` is its own worker, which it never finds lost."""

    def __init__(self, store: Store, links: Links, own: str) -> None:
        self._store, self._links, self._own = store, links, own
        self._generation: int | None = None
        self._counted = -1e9
        self._troubles = Troubles("watch the workers of", log)
        self._lists = Troubles("list the workers of", log)
        self._clients = Troubles("list the clients of", log)
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._at_home: dict[str, _Seen] = {}
        self._turn = 0
        self._missing: dict[tuple[Server, str], float] = {}
        self._held_off_until = 0.0
        self._watched = self._place = 0
        self.workers: dict[str, WorkerInfo] = {}
        """Those on the list of workers when it was last read."""
        self.has_unlisted = False
        """Whether somebody beats who was not on that list: it should be read again."""

    def forget_all(self) -> None:
        """There is nobody to watch."""
        self._seen.clear()
        self._at_home.clear()
        self._missing.clear()
        self.workers = {}

    async def read_list(self) -> None:
        """Read the list of workers. Where that is refused the last one will do: the beats tell who lives."""
        try:
            self.workers = {info.name: info for info in await self._store.workers.listed(self._links)}
        except StreamqError as error:
            if concerns_all(error):
                raise
            self._lists.met({EVERYONE: error})
        else:
            self._lists.over(EVERYONE)

    def _looks_at_connections(self) -> bool:
        """Whether there are any to look at, and the right to do so."""
        return not self._clients.resting(SERVER) and any(name != self._own for name in self.workers)

    def _beats_every(self) -> float:
        leases = [self._store.settings.lease, *[self._lease(name) for name in self.workers]]
        return max(0.1, min(leases) / LOOKS)

    def beats_are_due(self, now: float) -> bool:
        """Whether it is time for a look at the beats."""
        return now - self._counted >= self._beats_every()

    def rest(self) -> float:
        """Seconds until the next look, at beats or connections; of what is missing, as soon as the grace is over."""
        if self._missing:
            ripe = min(self._missing.values()) + GRACE - monotonic()
            return min(self._beats_every(), GRACE / 2, max(0.0, ripe))
        look = LOOK if not is_many(self._watched) else LOOK_AT_MANY
        return min(self._beats_every(), look) if self._looks_at_connections() else self._beats_every()

    def _lease(self, worker: str) -> float:
        """The lease by which a worker lives, or ours where it does not say."""
        info = self.workers.get(worker)
        return info.lease if info and info.lease else self._store.settings.lease

    def _reconnected(self) -> bool:
        """Whether our connection is another than before: then what was counted is void, as the server was gone."""
        again = self._generation not in (None, self._links.reconnections)
        self._generation = self._links.reconnections if self._links.generation else None
        if again:
            self._seen.clear()
            self._at_home.clear()
            self._missing.clear()
            # they reconnect too, and are listed under their old connections until they say so
            self._held_off_until = monotonic() + self._store.settings.lease
        return again

    # -- by lease -------------------------------------------------------------------------------------------

    async def by_lease(self, now: float, queues: Sequence[str]) -> list[Lost]:
        """Those that have not beaten for their lease."""
        elapsed, self._counted = min(now - self._counted, 2 * self._beats_every()), now
        self._watched = len(queues)
        home = await self._look_at_home(elapsed)
        queues = self._troubles.rested(self._doubtful(queues) if is_many(len(queues)) else queues)
        counts = await self._store.workers.beats_or_errors(self._links, queues) if queues else {}
        self._reconnected()
        before, self._seen = self._seen, {}
        lost: list[Lost] = []
        for queue, beats in self._troubles.answers(counts).items():
            self.has_unlisted |= bool(beats.keys() - self.workers.keys())
            for worker, count in beats.items():
                beaten = (count, home.get(worker))
                seen = self._count(before.get((queue, worker)), beaten, elapsed)
                if (queue, worker) not in before and is_many(self._watched) and worker in self._at_home:
                    seen.unchanged = self._at_home[
                        worker
                    ].unchanged  # before, nobody had a reason to look here
                self._seen[queue, worker] = seen
                if seen.unchanged >= self._lease(worker) and worker != self._own:
                    lost.append(Lost(queue, worker, count, f"no beat for {seen.unchanged:.0f} s"))
        return lost

    async def _look_at_home(self, elapsed: float) -> dict[str, bytes]:
        """How often each worker has told the home of all workers what it does; nothing where that cannot be asked."""
        try:
            home = await self._store.workers.beats_at_home(self._links, list(self.workers))
        except StreamqError as error:
            self._lists.met({HOME: error})
            home = {}
        else:
            self._lists.over(HOME)
        before, self._at_home = self._at_home, {}
        for worker, count in home.items():
            self._at_home[worker] = self._count(before.get(worker), count, elapsed)
        return home

    def _doubtful(self, queues: Sequence[str]) -> list[str]:
        """Of many queues those of workers that have not told of late what they do; and one more at each look, as
        somebody may beat there who is on no list."""
        silent = [info for name, info in self.workers.items() if name != self._own and self._is_silent(name)]
        doubtful = {queue for info in silent for queue in info.queues}
        self._turn += 1
        return [*doubtful.intersection(queues), *{queues[self._turn % len(queues)]}.difference(doubtful)]

    def _is_silent(self, worker: str) -> bool:
        seen = self._at_home.get(worker)
        return seen is None or seen.unchanged >= self._lease(worker) / 2

    @staticmethod
    def _count(seen: _Seen | None, count: Beats | bytes, elapsed: float) -> _Seen:
        if seen is None or seen.beats != count:
            return _Seen(count)  # it lives, or is looked at for the first time: a whole lease from now
        seen.unchanged += elapsed
        return seen

    def recovered(self, queue: str, worker: str) -> None:
        """Its jobs of the queue were given back."""
        self._seen.pop((queue, worker), None)

    # -- by connection --------------------------------------------------------------------------------------

    async def by_connection(self, now: float, queues: Sequence[str]) -> list[tuple[Server, str]]:
        """Those that have had no connection to a server of these queues for the grace, and that server."""
        if not self._looks_at_connections() or now < self._held_off_until:
            return []
        try:
            ripe = await self._without_connection(now, self._looked_at(queues))
            named = {
                server: await self._store.workers.client_names(self._links, server) for server, _ in ripe
            }
        except Rejected as error:  # the right may come back, as after a change of passwords
            self._clients.met({SERVER: error})
            self._missing.clear()
            return []
        self._clients.over(SERVER)
        if not ripe or self._reconnected():
            return []
        for each in ripe:
            del self._missing[each]
        back = [(server, name) for server, name in ripe if name in named[server]]
        if back:  # they have reconnected; their new ids are in what they say of themselves now
            await self.read_list()
        return [each for each in ripe if each not in back]

    def _looked_at(self, queues: Sequence[str]) -> list[Server]:
        """The servers of the queues, and that of the list of all workers; of many queues one of them in turn, until
        anybody is missing: whose process has ended is missing at each."""
        servers = self._store.servers
        each = list(dict.fromkeys([servers.home, *map(servers.of, queues)]))
        if not is_many(len(queues)) or self._missing:
            return each
        self._place += 1
        return [each[self._place % len(each)]]

    async def _without_connection(self, now: float, servers: Sequence[Server]) -> list[tuple[Server, str]]:
        watched = [info for name, info in self.workers.items() if name != self._own]
        gone: set[tuple[Server, str]] = set()
        for server in servers:
            try:
                missing = await self._store.workers.gone(self._links, server, watched)
            except StreamqError as error:
                if isinstance(error, Rejected) or len(servers) == 1:
                    raise
                continue  # of its workers nobody knows anything now
            if server is self._store.servers.home:  # who does not say is looked for by name
                missing |= {info.name for info in watched if not info.client_id}
            gone |= {(server, name) for name in missing}
        if self._reconnected():
            return []
        self._missing = {each: self._missing.get(each, now) for each in gone}
        return [each for each, since in self._missing.items() if now - since >= GRACE]

    async def queues_of(self, server: Server, worker: str) -> list[Lost]:
        """The queues on a server that list a worker whose connections to it are gone."""
        info, servers = self.workers.get(worker), self._store.servers
        queues = [queue for queue in info.queues if servers.of(queue) is server] if info else []
        counts = await self._store.workers.beats_or_errors(self._links, queues)
        return [
            Lost(queue, worker, beats[worker], "its connections are gone")
            for queue, beats in counts.items()
            if not isinstance(beats, StreamqError) and worker in beats
        ]
