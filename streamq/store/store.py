"""The acts: every write to Redis, one method per verb. (Looking is in ``views``.)"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from streamq.errors import JobNotFound, OutcomeUnknown, StreamqError, WrongState
from streamq.model.clock import ServerClock
from streamq.model.envelope import New
from streamq.model.keys import GROUP, Keys, queues_key
from streamq.redis import scripts
from streamq.redis.link import Link, NoGroup, Pool, Servers
from streamq.redis.signals import Signals
from streamq.settings import Durability, Settings
from streamq.store.batches import Announcements, Batch, submit
from streamq.store.pending import pending
from streamq.store.roster import Roster

T = TypeVar("T")

log = logging.getLogger("streamq.store")

PAGE: Final = 100
"""Jobs that one script call recovers, gives back, audits or forgets. It takes fewer where they are large."""
SETTLED_AT_ONCE: Final = 1_000
"""Outcomes that one call of settle.lua takes."""
SETTLED_BYTES: Final = 1 << 20
"""Bytes of records that it takes, or one record that is larger."""


class Settlement(NamedTuple):
    """One outcome for settle.lua; ``kind`` is ``c`` completed, ``f`` failed or ``d`` delayed."""

    kind: str
    lane: int
    entry: bytes
    job_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What became of a lost worker's jobs."""

    again: int = 0
    suspects: int = 0
    failed: int = 0
    beaten: bool = False
    """The worker has beaten since it was seen: nothing was touched."""
    first: tuple[tuple[str, str, str], ...] = ()
    """Of the first of them id, what became of it (``again``, ``alone`` or ``failed``), and task."""


class Promoted(NamedTuple):
    """What a promotion did in one queue: how many jobs wait now, and in how many seconds the next is due, if any."""

    jobs: int
    wait: float | None


class Store:
    """Every write. Methods raise ``Unavailable`` and its kin when the server cannot be reached."""

    def __init__(self, servers: Servers, settings: Settings) -> None:
        self.servers, self.settings = servers, settings
        self.pool = Pool(servers)
        self.signals = Signals(servers)
        self.clock = ServerClock()
        self.announcements = Announcements(settings.prefix)
        self._keys: dict[str, Keys] = {}
        self.roster = Roster(self.keys, self.pool, settings.prefix)
        """Who the workers are, and whether they live."""

    def keys(self, queue: str) -> Keys:
        """The keys of a queue. Raises ``ConfigurationError`` for a bad name."""
        try:
            found = self._keys.get(queue)
        except TypeError:  # what cannot be hashed is no name either
            found = None
        if found is None:
            found = self._keys[queue] = Keys(self.settings.prefix, queue)
        return found

    # -- producers ------------------------------------------------------------------------------------------

    async def enqueue(
        self, link: Link, queue: str, producer: str, batch: int, jobs: Sequence[New], durability: Durability
    ) -> list[str]:
        """Add one producer's next batch and return its ids, in order.

        The same ``batch`` number again returns the same ids and adds nothing.
        """
        (answer,) = await submit(self, link, [Batch(queue, producer, batch, jobs)], durability)
        if isinstance(answer, list):
            return answer
        raise answer

    async def announce(self, queue: str) -> None:
        """Put the queue's name on the list of queues."""
        async with self.pool.link() as link:
            await scripts.NOTE.run(link, (queues_key(self.settings.prefix),), "SADD", queue)

    async def requeue(self, queue: str, job_id: str) -> tuple[bytes, bytes, bytes]:
        """A failed job waits again: its task, payload and headers as they wait now.

        Raises ``JobNotFound``, and ``WrongState`` with the state it has. Of many who ask at once one moves it.
        """
        keys = self.keys(queue)
        async with self.pool.link() as link:
            names = (
                keys.ready, keys.alone, keys.moved, keys.parked, keys.delayed, keys.finished, keys.failures,
            )  # fmt: skip
            said = await scripts.REQUEUE.run(link, names, GROUP, job_id)
        if not said:
            raise JobNotFound(queue, job_id)
        if said[0] == b"is":
            raise WrongState(job_id, "retry", said[1].decode())
        _, task, payload, headers = said
        return task, payload, headers

    # -- workers --------------------------------------------------------------------------------------------

    async def join(self, link: Link, queues: Iterable[str]) -> None:
        """Make the groups of the queues, where they are not."""
        for queue in queues:
            await scripts.JOIN.run(link, self.keys(queue).lanes, GROUP)

    async def with_groups(self, link: Link, queues: Sequence[str], act: Callable[[], Awaitable[T]]) -> T:
        """Do ``act``; when a group is gone, make the groups and do it again."""
        try:
            return await act()
        except NoGroup:
            await self.join(link, queues)
            return await act()

    async def fetch(self, link: Link, queue: str, worker: str, n: int) -> tuple[int, list[Any]]:
        """For a worker that runs nothing: one suspect, or up to ``n`` ready jobs. Returns lane and raw entries."""
        lanes = self.keys(queue).lanes
        lane, entries = await scripts.FETCH.run(link, lanes, GROUP, worker, n)
        return lane, entries

    async def settle(self, link: Link, batches: dict[str, list[Settlement]]) -> list[bytes]:
        """Write outcomes, by queue, in one round trip. Returns the entries whose outcome was refused.

        Raises what the server says of the first queue that it refuses; those of the others are written.
        """
        refused: list[bytes] = []
        for _, _, said in await self.settle_each(link, batches):
            if isinstance(said, StreamqError):
                raise said
            refused += said
        return refused

    async def settle_each(
        self, link: Link, batches: dict[str, list[Settlement]]
    ) -> list[tuple[str, list[Settlement], list[bytes] | StreamqError]]:
        """The same, with what the server says of each part in its place: one that it refuses hides no other.

        Raises only when the server cannot be reached.
        """
        calls = []
        parts = [(queue, part) for queue, whole in batches.items() for part in _bounded(whole)]
        for queue, settlements in parts:
            keys, settings = self.keys(queue), self.settings
            names = (
                keys.ready, keys.alone, keys.parked, keys.delayed, keys.moved, keys.finished,
                keys.completed, keys.failures, keys.ended, keys.signals,
            )  # fmt: skip
            arguments: list[Any] = [GROUP, settings.keep_completed, settings.keep_failed]
            for part in _alike(settlements):
                arguments += (part[0].kind, part[0].lane, len(part), *[s.entry for s in part])
                for s in part:
                    arguments += s[3:]  # id and body
            calls.append((names, arguments))
        replies = await link.batch(*[scripts.SETTLE.command(names, arguments) for names, arguments in calls])
        settled: list[tuple[str, list[Settlement], list[bytes] | StreamqError]] = []
        for (queue, part), reply, (names, arguments) in zip(parts, replies, calls, strict=True):
            try:
                now, *refused = await scripts.SETTLE.answer(link, reply, names, arguments)
            except OutcomeUnknown:
                raise
            except StreamqError as error:
                settled.append((queue, part, error))
            else:
                self.clock.set(now)
                settled.append((queue, part, refused))
        return settled

    async def pending(self, link: Link, queue: str, worker: str) -> list[tuple[int, bytes]]:
        """All that the server has delivered to a worker and not got back: lane and entry of each."""
        found = await pending(link, self.keys(queue).lanes, worker)
        return [(n, e) for n, lane in enumerate(self.keys(queue).lanes, 1) for e in found.get(lane, ())]

    async def release(self, link: Link, queue: str, held: Sequence[tuple[int, bytes]]) -> int:
        """Give entries (lane, entry) back uncharged. Returns how many were still held."""
        keys, released, at = self.keys(queue), 0, 0
        names = (keys.ready, keys.alone, keys.moved)
        while at < len(held):
            arguments = [part for lane_entry in held[at : at + PAGE] for part in lane_entry]
            back, seen = await scripts.RELEASE.run(link, names, GROUP, *arguments)
            released, at = released + back, at + seen
        return released

    def postpone(self, queue: str, jobs: Sequence[tuple[str, float]]) -> list[tuple[Any, ...]]:
        """The commands that push the due times of delayed jobs (id, seconds from now) out, never nearer."""
        return self._due_times(queue, "GT", jobs)

    def draw_in(self, queue: str, jobs: Sequence[tuple[str, float]]) -> list[tuple[Any, ...]]:
        """The commands that bring them nearer again, never further out."""
        return self._due_times(queue, "LT", jobs)

    def _due_times(
        self, queue: str, direction: str, jobs: Sequence[tuple[str, float]]
    ) -> list[tuple[Any, ...]]:
        keys, commands = self.keys(queue), []
        for start in range(0, len(jobs), PAGE):
            page = [
                part
                for job_id, seconds in jobs[start : start + PAGE]
                for part in (job_id, round(seconds * 1000))
            ]
            commands.append(scripts.POSTPONE.in_full((keys.delayed, keys.signals), (direction, *page)))
        return commands

    async def read_clock(self) -> None:
        """Set ``clock`` by the server's."""
        seconds, micros = await self.pool.call("TIME")
        self.clock.set(int(seconds) * 1000 + int(micros) // 1000)

    # -- duties ---------------------------------------------------------------------------------------------

    async def promote(
        self, link: Link, queues: Sequence[str], limit: int
    ) -> dict[str, Promoted | StreamqError]:
        """Due jobs become waiting, about ``limit`` of them in one round trip; by queue, or what went wrong in it."""
        each = max(1, limit // max(1, len(queues)))
        calls = [
            ((keys.ready, keys.parked, keys.delayed, keys.moved), (each,)) for keys in map(self.keys, queues)
        ]
        replies = await scripts.PROMOTE.run_each(link, calls)
        return {
            queue: reply if isinstance(reply, StreamqError) else self._promoted(queue, *reply)
            for queue, reply in zip(queues, replies, strict=True)
        }

    def _promoted(self, queue: str, now: int, count: int, wait: int, empty: int) -> Promoted:
        self.clock.set(now)
        if empty:
            log.warning("%d ids on %s were due and had no job: they are forgotten", empty, queue)
        return Promoted(count, None if wait < 0 else wait / 1_000_000)

    async def unlisted(self, link: Link, queue: str) -> list[str]:
        """Consumers that hold jobs and are not on the list of workers."""
        keys = self.keys(queue)
        listed = set((await self.roster.beats(link, (queue,)))[queue])
        holders: set[str] = set()
        for reply in await link.batch(*[("XINFO", "CONSUMERS", lane, GROUP) for lane in keys.lanes]):
            for row in () if isinstance(reply, Exception) else reply:
                at = dict(zip(row[::2], row[1::2], strict=True))
                if at[b"pending"]:
                    holders.add(at[b"name"].decode("utf-8", "surrogateescape"))
        return sorted(holders - listed)

    async def reclaim(self, link: Link, queue: str, worker: str, beat: bytes | None) -> Reclaimed:
        """Recover all jobs of a lost worker, page by page, and forget it.

        ``beat`` is its number of beats as last seen: nothing happens when it has beaten since. ``None`` takes
        it as lost without asking.
        """
        keys, settings = self.keys(queue), self.settings
        names = (keys.ready, keys.alone, keys.moved, keys.finished, keys.failures, keys.ended, keys.workers)
        name = worker.encode("utf-8", "surrogateescape")  # whoever joins the group names itself
        arguments = (GROUP, name, beat or b"", PAGE, settings.crash_limit, settings.keep_failed)
        again = suspects = failed = 0
        first: tuple[tuple[str, str, str], ...] = ()
        while True:
            more, suspected, buried, held, told = await self.with_groups(
                link, (queue,), lambda: scripts.RECLAIM.run(link, names, *arguments)
            )
            if more < 0:
                return Reclaimed(again, suspects, failed, beaten=True, first=first)
            first = first or _by_three(told)
            again, suspects, failed = again + more, suspects + suspected, failed + buried
            if not held:
                return Reclaimed(again, suspects, failed, first=first)

    async def audit(self, link: Link, queue: str) -> int:
        """Give back what was delivered and is held by nobody. Returns how many."""
        keys, stranded, missing = self.keys(queue), 0, 0
        await self.join(link, (queue,))
        for number, lane in enumerate(keys.lanes, 1):
            after = b""
            while True:
                found, gone, after = await scripts.AUDIT.run(
                    link, (lane, keys.moved), GROUP, number, after, PAGE
                )
                stranded, missing = stranded + found, missing + gone
                if not after:
                    break
        if missing:
            log.warning("%d active jobs on %s were deleted by hand: nothing is left of them", missing, queue)
        return stranded

    async def prune(self, queue: str) -> int:
        """Forget finished records past their number or their age. Returns how many."""
        keys, settings, pruned = self.keys(queue), self.settings, 0
        async with self.pool.link() as link:
            names, more = (keys.finished, keys.completed, *keys.outdated), 1
            bounds = (int(settings.keep_completed_for * 1000), PAGE, settings.keep_completed)
            while more:
                count, more = await scripts.PRUNE.run(link, names, *bounds)
                pruned += count
        return pruned + await self._prune_failed(keys)

    async def _prune_failed(self, keys: Keys) -> int:
        settings, pruned, count = self.settings, 0, PAGE
        bounds = (int(settings.keep_failed_for * 1000), PAGE, settings.keep_failed)
        async with self.pool.link() as link:
            while await scripts.ADOPT.run(link, (keys.finished, keys.failures, keys.failed), PAGE):
                pass
            while count == PAGE:
                count = await scripts.PRUNE_FAILED.run(link, (keys.finished, keys.failures), *bounds)
                pruned += count
        return pruned

    async def close(self) -> None:
        """Drop all connections."""
        await self.signals.close()
        await self.pool.close()


def _by_three(told: list[bytes]) -> tuple[tuple[str, str, str], ...]:
    texts = [text.decode("utf-8", "replace") for text in told]
    return tuple(zip(texts[::3], texts[1::3], texts[2::3], strict=True))


def _bounded(settlements: list[Settlement]) -> Iterator[list[Settlement]]:
    """Parts that one call may take, by number and by bytes."""
    if 0 < len(settlements) <= SETTLED_AT_ONCE and sum([len(s.body) for s in settlements]) <= SETTLED_BYTES:
        yield settlements  # as nearly all are: once a job, so by the shortest way
        return
    part: list[Settlement] = []
    size = 0
    for settlement in settlements:
        if part and (len(part) == SETTLED_AT_ONCE or size + len(settlement.body) > SETTLED_BYTES):
            yield part
            part, size = [], 0
        part.append(settlement)
        size += len(settlement.body)
    if part:
        yield part


def _alike(settlements: list[Settlement]) -> Iterator[list[Settlement]]:
    """Parts of one kind and one lane, as settle.lua takes them."""
    if len({settlement[:2] for settlement in settlements}) == 1:
        yield settlements  # likewise
        return
    alike: dict[tuple[str, int], list[Settlement]] = {}
    for settlement in settlements:
        alike.setdefault((settlement.kind, settlement.lane), []).append(settlement)
    yield from alike.values()
