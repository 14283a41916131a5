"""New jobs of queues that have partitions: to which each goes.

A job with a group goes home by the first level of its group, one with a unique key by that, and any other in turns.
While a change of partitions goes on, what has a new home is asked for at its old one first, which takes it as long as
any other of its group, or of its key, is left there.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from streamq.client.orders import BATCH, slices
from streamq.client.outbox import Outbox
from streamq.client.transfer import Transfer
from streamq.errors import OutcomeUnknown, QueueFull, StreamqError
from streamq.model import codec
from streamq.model.batched import batched
from streamq.model.clock import monotonic
from streamq.model.counted import counted
from streamq.model.envelope import New
from streamq.model.headers import Headers, pack_headers, parse_headers
from streamq.model.partitions import NONE, Partitions
from streamq.model.places import anchor, anchor_before, home, key_within, partition, shown_id
from streamq.noun_errors import GroupFull
from streamq.settings import Durability
from streamq.store.batch import Placed, Stale
from streamq.store.store import Store
from streamq.tickets import Ticket

WINDOW: Final = 2_000
"""Jobs of a transfer that are put into the order of their partitions at a time, at least; more where each partition
is sent as many of them as one call takes, which costs the server the least."""
TURN: Final = 4 * BATCH
"""Jobs that are sent at the same time and go to the same partition, at most: at each change those who wait for answers
are parted in two, who share no call for a while."""
WORTH: Final = 50
"""Jobs that are not parted any more: their call costs the server little more than one for each would."""
REREAD: Final = 30.0
"""Seconds after which a producer reads anew what the scripts tell it otherwise: a server may have been emptied."""
AGAIN: Final = 5.0
"""Seconds after which it is told again what could not be told as another change went on."""
KEPT_AWAY: Final = "="
"""Before a key that is asked for alone (`lua/admit.lua` knows it)."""
TRIES: Final = 3
"""How often a place is looked for."""


class Spread:
    """Of one opening. ``queues`` are those that are known to have partitions, or for which code declares them."""

    def __init__(self, store: Store, outbox: Callable[[], Outbox], declared: Mapping[str, int]) -> None:
        self._store, self._outbox, self._declared = store, outbox, declared
        self._told: dict[str, float] = {}
        """Of which queues what code declares was told, and when to tell it again where another change went on."""
        self._closed: dict[str, int] = {}
        """By queue, the change of which its partitions were told by this process."""
        self._telling = asyncio.Lock()
        self._turns: defaultdict[str, _Turn] = defaultdict(_Turn)

    def has(self, queue: str) -> bool:
        """Whether its jobs are to be spread, as far as is known here."""
        return queue in self._store.partitions or self._declared.get(queue, 1) > 1

    async def of(self, queue: str) -> Partitions:
        """The partitions of a queue, once what code declares is told and a change that began is under way.

        A queue may be removed: so each process closes its partitions once to producers that do not know of them.
        """
        await self.tell(queue)
        partitions = self._store.partition
        its = partitions.known(queue)
        if its.phase == "closing":
            its = await partitions.settled_or_moving(queue)
        if self._closed.get(queue, 0) != its.generation:
            await partitions.close(queue, its)
            self._closed[queue] = its.generation
        return its

    async def tell(self, queue: str) -> None:
        """Tell what code declares of a queue, once and when that is not known any more."""
        await self._store.partition.refresh(fresh=REREAD)
        if self._is_untold(queue):
            async with self._telling:  # of many who begin at once one tells it, and the others wait
                if self._is_untold(queue):
                    count = self._declared[queue]
                    its = await self._store.partition.change(queue, count, told=False)
                    self._told[queue] = math.inf if its.told or its.count >= count else monotonic() + AGAIN

    def _is_untold(self, queue: str) -> bool:
        declared = self._declared.get(queue, 1)
        if declared <= 1:
            return False
        return monotonic() >= self._told.get(queue, 0.0) or self._store.partition.known(queue).is_whole

    async def send(self, queue: str, jobs: Sequence[New], durability: Durability) -> list[str]:
        """Send the jobs of a call, and return their ids. Raises what ``Outbox.put`` does."""
        if len(jobs) > 1:
            return await self.send_many(queue, jobs, durability)
        return await self._sent(queue, jobs[0], durability)

    async def _sent(self, queue: str, job: New, durability: Durability, request: str = "") -> list[str]:
        for tries in reversed(range(TRIES)):
            placed = _Placed.of(job, await self.of(queue), request)
            try:
                return await self._send(queue, placed, durability)
            except Stale:
                if not tries:
                    raise
                await self._store.partition.found_later(queue, placed.generation)
        raise AssertionError

    async def send_once(self, queue: str, request: str, job: New, durability: Durability) -> str:
        """Send the job of a request, under whose name it is added once; one that has no home goes to the first
        partition, whatever becomes of the others."""
        its = await self.of(queue)
        for name in await self._store.requests.known_in(its.names(queue), request):
            return (await self._put(name, _Placed.of(job, its, request), durability))[0]
        return (await self._sent(queue, job, durability, request))[0]

    async def _send(self, queue: str, job: _Placed, durability: Durability) -> list[str]:
        for old in job.former:
            name = partition(queue, old.number)
            with _elsewhere():
                return await self._put(name, job, durability, old)
        if job.home is not None or job.request:
            return await self._put(partition(queue, job.home or 0), job, durability)
        with self._turns[queue].share() as turn:
            return await self._put_anywhere(queue, turn, job, durability)

    async def _put_anywhere(self, queue: str, turn: int, job: _Placed, durability: Durability) -> list[str]:
        """Where one partition is full, the next may have room: the queue is full when all of them are."""
        waiting = bound = 0
        for at in range(job.among):
            try:
                return await self._put(partition(queue, (turn + at) % job.among), job, durability)
            except QueueFull as full:
                if isinstance(full, GroupFull):
                    raise
                waiting, bound = waiting + full.waiting, bound + full.bound
        raise QueueFull(queue, waiting, bound)

    async def _put(
        self, name: str, job: _Placed, durability: Durability, old: _Former | None = None
    ) -> list[str]:
        """Send a job to a partition: to its home, or to an ``old`` one, which refuses it when nothing of its kind is
        left there."""
        new, asks = (job.at_home, b"") if old is None else (job.at(old), old.asked)
        placed = Placed(job.generation, asks, job.request)
        return await _shown(name, self._outbox().put(name, (new,), durability, placed))

    async def again(self, queue: str, jobs: Sequence[New], durability: Durability) -> list[str]:
        """Send jobs that were refused as this process did not know that the queue has partitions."""
        await self._store.partition.settled_or_moving(queue)
        return await self.send(queue, jobs, durability)

    # -- many -----------------------------------------------------------------------------------------------

    async def send_many(self, queue: str, jobs: Iterable[New], durability: Durability) -> list[str]:
        """The same for any number of jobs, taken from ``jobs`` as they are sent; their ids are in their order."""
        its, order, turns = await self.of(queue), list[int](), _InTurn()

        async def put(part: list[New]) -> list[str]:
            first = _Placed.of(part[0], its)
            with turns.next() as before:
                if not first.former:
                    name = partition(
                        queue, self._turns[queue].next() % its.count if first.home is None else first.home
                    )
                    placed = [_Placed.of(job, its).at_home for job in part]
                    try:
                        sending = self._outbox().put(name, placed, durability, Placed(its.generation))
                        return await _shown(name, sending)
                    except Stale:
                        await self._store.partition.found_later(queue, its.generation)
                    except QueueFull:
                        if first.home is not None:
                            raise
                await before.wait()
                return await _singly(part, lambda job: self.send(queue, (job,), durability))

        def arranged(ids: list[str]) -> list[str]:
            found = [""] * len(ids)
            for at, each in zip(order, ids, strict=False):
                found[at] = each
            return found

        return await Transfer(put, self._parts(jobs, its, order), arranged).run()

    @staticmethod
    def _parts(jobs: Iterable[New], its: Partitions, order: list[int]) -> Iterator[list[New]]:
        """Slices of which each has one home, or none, or is to be asked for; ``order`` says which jobs they have."""
        begin = 0
        for window in batched(jobs, max(WINDOW, BATCH * its.count)):
            alike: dict[tuple[int | None, bool], list[int]] = {}
            for n, job in enumerate(window):
                placed = _Placed.of(job, its)
                alike.setdefault((placed.home, bool(placed.former)), []).append(n)
            for those in chain.from_iterable(
                _in_parts(those, its.count) if own is None else (those,) for (own, _), those in alike.items()
            ):
                taken = 0
                for part in slices([window[n] for n in those]):
                    order.extend(begin + n for n in those[taken : taken + len(part)])
                    taken += len(part)
                    yield part
            begin += len(window)


async def _shown(name: str, sending: Awaitable[list[str]]) -> list[str]:
    """The ids of jobs as people know them, now or when it is repeated."""
    try:
        return [shown_id(name, each) for each in await sending]
    except OutcomeUnknown as error:
        if error.ticket is not None:
            again = error.ticket.send
            error.carrying(Ticket(lambda: _shown(name, again())))
        raise


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Nothing of its kind is left at the old home of a job: it goes to its new one."""
    try:
        yield
    except Stale as stale:
        if not stale.is_home:
            raise


class _Turn:
    """Which partition is next to take jobs that any will do for. Those that are sent at the same time go to the same
    one, as calls of few jobs are what costs a server most."""

    def __init__(self) -> None:
        self._number = secrets.randbits(16)
        self._on_way = self._taken = 0

    def next(self) -> int:
        """The number of the next turn."""
        self._number += 1
        self._taken = 0
        return self._number

    @contextlib.contextmanager
    def share(self) -> Iterator[int]:
        """The number of the turn of a job that is on its way in the block: a new one when no other is, or when many
        had it."""
        if not self._on_way or self._taken >= TURN:
            self.next()
        self._taken += 1
        self._on_way += 1
        try:
            yield self._number
        finally:
            self._on_way -= 1


class _InTurn:
    """Slices of a transfer, of which the next is sent while one is under way. Where their jobs are sent one by one it
    waits for that: those of a group keep their order."""

    def __init__(self) -> None:
        self._last = asyncio.Event()
        self._last.set()

    @contextlib.contextmanager
    def next(self) -> Iterator[asyncio.Event]:
        """The end of the slice before this one, which ends with the block."""
        before, self._last = self._last, (mine := asyncio.Event())
        try:
            yield before
        finally:
            mine.set()


async def _singly(jobs: Sequence[New], send: Callable[[New], Awaitable[list[str]]]) -> list[str]:
    """Send jobs one after the other. What stops it goes on behind those that were sent."""
    ids: list[str] = []
    again: Callable[[], Awaitable[list[str]]] | None = None

    async def go_on() -> list[str]:
        nonlocal again
        while len(ids) < len(jobs):
            try:
                ids.extend(await (again() if again else send(jobs[len(ids)])))
            except StreamqError as error:
                ticket = error.ticket if isinstance(error, OutcomeUnknown) else None
                again = ticket.send if ticket else None
                if not ids and ticket is None:
                    raise
                sent = counted(len(ids), "job is", "jobs are")
                stopped = OutcomeUnknown(f"{sent} enqueued, the others are not: {error}")
                raise stopped.carrying(Ticket(go_on)) from error
            again = None
        return ids

    return await go_on()


def _in_parts(places: list[int], count: int) -> Iterator[list[int]]:
    """Jobs that any partition will do for, as parts that are worth a call of their own."""
    size = max(WORTH, -(-len(places) // count))
    for at in range(0, len(places), size):
        yield places[at : at + size]


class _Former(NamedTuple):
    """A former home of a job, which takes it as long as anything of its kind is left there."""

    number: int
    asks: str
    """What may be left there. A key that has outlived the jobs of its group keeps others away, and lets none in."""
    was_whole: bool
    """Whether the queue had no partitions then: keys were unique in all of it."""

    @property
    def asked(self) -> bytes:
        """What may be left there, as the script takes it."""
        return codec.dumps([self.asks])

    @classmethod
    def of(cls, count: int, by: str, key: str) -> list[_Former]:
        if count != NONE:
            return [cls(home(by, count), by, was_whole=False)]
        alone = [KEPT_AWAY + anchor_before(anchor("", key))] if key and by != anchor("", key) else []
        return [cls(0, each, was_whole=True) for each in (anchor_before(by), *alone)]


class _Placed(NamedTuple):
    """A job, and where it belongs."""

    job: New
    group: str
    home: int | None
    """Its partition; ``None`` where any will do."""
    among: int
    generation: int
    """The last change of partitions that is known where it was placed."""
    request: str
    """The request that it is of."""
    former: tuple[_Former, ...] = ()
    """What is asked first, one after the other, while a change goes on."""

    @classmethod
    def of(cls, job: New, its: Partitions, request: str = "") -> _Placed:
        headers: Headers = parse_headers(job.headers) if job.headers else {}
        group, key = headers.get("group", ""), job.demand.key if job.demand else ""
        by = anchor(group, key)
        own = home(by, its.count) if by else None
        if own is None or its.phase != "moving":
            return cls(job, group, own, its.count, its.generation, request)
        former = chain.from_iterable(_Former.of(count, by, key) for count in its.former)
        asked = dict.fromkeys(old for old in former if old.number != own or (old.was_whole and key))
        return cls(job, group, own, its.count, its.generation, request, tuple(asked))

    def at(self, old: _Former) -> New:
        """The job as a former home takes it."""
        return self.job if old.was_whole else self.at_home

    @property
    def at_home(self) -> New:
        """The job as its home takes it: its key is of its group alone."""
        job = self.job
        if not (self.group and job.demand and job.demand.key):
            return job
        key = key_within(self.group, job.demand.key)
        return _with_key(job, key)


def _with_key(job: New, key: str) -> New:
    headers = parse_headers(job.headers)
    if "key" in headers:
        headers = {**headers, "key": key}
    demand = job.demand
    assert demand is not None  # noqa: S101  # it has a key
    return job._replace(headers=pack_headers(headers), demand=demand._replace(key=key))
