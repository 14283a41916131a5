"""Group commit for producers: one flight under way; what arrives meanwhile leaves together in the next.

A lone caller carries its job itself and waits one round trip, a thousand callers share a few, and there is no timer.
Only what fills a flight by itself leaves while one is under way, so that the server works while we write.

A flight carries the jobs of any number of queues, so a process has as few connections with a thousand queues as with
one. The jobs of a queue are a batch of the flight. Batches are numbered, so one that went unanswered is sent again
without fear: the script answers a number it has seen. A fault of one order, or of one queue, is answered to those whose
it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any, Final

from streamq.client.orders import (
    BATCH,
    BATCH_BYTES,
    Again,
    Departure,
    Kind,
    Load,
    Order,
    Resent,
    as_unknown,
    copied,
    is_away,
    is_silence,
    slices,
)
from streamq.client.transfer import Transfer
from streamq.errors import (
    NotOpen,
    OutcomeUnknown,
    QueueFull,
    StreamqError,
    Unavailable,
    UsageError,
)
from streamq.model.clock import monotonic
from streamq.model.envelope import New
from streamq.redis.answers import Demoted, Redirected, is_foreign
from streamq.redis.links import Links
from streamq.redis.server import Server
from streamq.settings import Durability
from streamq.store.batch import ANSWER, PRODUCER_MEMORY_MS, UNPLACED, Answer, Batch, Placed, Producer, Stale
from streamq.store.requests import REMEMBERED_MS
from streamq.store.store import Store
from streamq.tickets import Ticket

log = logging.getLogger("streamq.outbox")

MEMORY: Final = PRODUCER_MEMORY_MS / 1000 - 60.0
"""Seconds in which a batch may be repeated: the server forgets it soon after, and would add it again."""
PAUSES: Final = (0.05, 1.0)
"""Seconds before a batch is sent again, at first and at most."""
PARTING: Final = 1.0
"""Seconds that closing may take to make the server forget batches that nobody repeats."""


class Outbox:
    """The way out of one process. At most two connections to a server for each durability in use."""

    def __init__(self, store: Store, again: Again | None = None) -> None:
        self._store, self._again = store, again
        self._carriers: dict[tuple[Server, Durability, bool], _Carrier] = {}
        self._plain = store.producers.plain.until
        self._closed = False

    def put(
        self, queue: str, jobs: Sequence[New], durability: Durability, placed: Placed | None = None
    ) -> Coroutine[Any, Any, list[str]]:
        """Send jobs, no more than one call takes, and return their ids. Cancelling the caller does not unsend them.

        ``queue`` is a partition where they are ``placed``: then ``Stale`` is raised when it is their place no more.
        Raises ``UsageError`` for what cannot be written, else ``Unavailable`` or a subclass; ``OutcomeUnknown`` with
        a way to repeat.
        """
        if self._closed:
            raise NotOpen
        task, payload, headers, due, demand = jobs[0]
        size = len(task) + len(payload) + len(headers)
        if len(jobs) > 1:
            size = sum([len(task) + len(payload) + len(headers) for task, payload, headers, _, _ in jobs])
        # what may be too long for the server has a connection of its own, where it keeps nobody waiting
        server = self._store.servers.of(queue)
        way = (server, durability, size > BATCH_BYTES)
        carrier = self._carriers.get(way)
        if carrier is None:
            carrier = self._carriers[way] = _Carrier(self._store, server, durability, self._again)
        plain = demand is None and self._plain.get(queue, 0.0) > monotonic()
        if placed is not None and placed.request:
            plain = False
        return carrier.put(Order((queue, due != "", plain, placed), jobs, size))

    async def put_many(self, queue: str, jobs: Iterable[New], durability: Durability) -> list[str]:
        """The same for any number of jobs, taken from ``jobs`` as they are sent, in slices that one call takes."""

        async def put(part: list[New]) -> list[str]:
            return await self.put(queue, part, durability)

        return await Transfer(put, slices(jobs)).run()

    async def close(self) -> None:
        """Wait for the flights under way, let the server forget what nobody repeats, and drop the connections."""
        self._closed = True
        await asyncio.gather(*(carrier.close() for carrier in self._carriers.values()))


class _Carrier:
    """Flights of one durability to one server, one after the other, over one connection."""

    def __init__(
        self, store: Store, server: Server, durability: Durability, again: Again | None = None
    ) -> None:
        self._store, self._server, self._durability = store, server, durability
        self._resent = Resent(again, durability)
        self._links = store.links("streamq-producer")
        self._link = self._links.to(server)
        self._waiting: list[Order] = []
        self._count = self._size = 0
        """Jobs and bytes of those who wait."""
        self._under_way: deque[Departure] = deque()
        self._task: asyncio.Task[None] | None = None
        self._parting: asyncio.Future[None] | None = None
        """Set when the lone caller does not wait any more, for who closes."""
        self._producers: dict[tuple[Kind, int], Producer] = {}
        """By kind of order and slot."""
        self._numbers = itertools.count(1)

    async def put(self, order: Order) -> list[str]:
        """Send an order. A lone caller waits for the server itself, without a task and a future.

        Whatever else comes to it than its ids, and when it goes away meanwhile, a task takes over.
        """
        if self._under_way or self._task is not None:
            return await self._join(order)
        departure = self._begin([order], 0)
        self._under_way.append(departure)
        flight, answers = departure.flight, departure.answers
        try:
            if flight is not None:
                answers = await self._heard(flight.answers(), 1)
        except asyncio.CancelledError:
            order.later().cancel()
            self._go_on()
            raise
        if answers and isinstance(answers[0], list):
            self._under_way.popleft()
            if self._under_way or self._waiting or self._parting:
                self._go_on()
            return answers[0]
        departure.answers, departure.flight = answers, None
        ids = order.later()
        self._go_on()
        return await ids

    async def _join(self, order: Order) -> list[str]:
        self._waiting.append(order)
        self._count += len(order.jobs)
        self._size += order.size
        self._begin_behind()
        return await order.later()

    def _go_on(self) -> None:
        """Leave what is under way, and who waits, to a task."""
        if self._under_way or self._waiting:
            self._task = asyncio.create_task(self._fly(), name="outbox")
        if self._parting is not None:
            self._parting.set_result(None)

    async def _fly(self) -> None:
        try:
            while self._under_way or self._waiting:
                if not self._under_way:
                    self._under_way.append(self._begin(self._take(), 0))
                self._begin_behind()
                departure = self._under_way[0]
                await self._land(departure)
                self._under_way.popleft()
                if len(departure.orders) > 1:
                    await asyncio.sleep(0)  # who was answered may have more for the next flight
        except BaseException:  # the loop ends; nobody waits for ever
            for departure in self._under_way:
                for order in departure.orders:
                    order.end(
                        OutcomeUnknown("the event loop ended while the jobs were sent: they may be enqueued")
                    )
            for order in self._waiting:
                order.end(Unavailable("the event loop ended before the jobs were sent"))
            self._under_way.clear()
            self._take_all()
            raise
        finally:
            self._task = None

    def _begin_behind(self) -> None:
        """Send what fills a flight by itself while another is under way: the server has the next when it is done."""
        full = self._count >= BATCH or self._size > BATCH_BYTES // 2
        if full and len(self._under_way) == 1 and self._under_way[0].flight is not None:
            self._under_way.append(self._begin(self._take(), 1 - self._under_way[0].slot))

    def _take(self) -> list[Order]:
        if self._count <= BATCH and self._size <= BATCH_BYTES:
            return self._take_all()
        count = size = taken = 0
        for order in self._waiting:
            if taken and (count + len(order.jobs) > BATCH or size + order.size > BATCH_BYTES):
                break
            count += len(order.jobs)
            size += order.size
            taken += 1
        orders, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._count -= count
        self._size -= size
        return orders

    def _take_all(self) -> list[Order]:
        orders, self._waiting = self._waiting, []
        self._count = self._size = 0
        return orders

    def _begin(self, orders: Sequence[Order], slot: int) -> Departure:
        """Send orders together, where nothing stands in the way."""
        departure = Departure(orders, self._loads(orders, slot), slot)
        try:
            departure.flight = self._store.producers.begin(self._link, departure.batches, self._durability)
        except UsageError as error:
            departure.answers = [error] * len(departure.loads)
        return departure

    async def _land(self, departure: Departure) -> None:
        answers = departure.answers
        if departure.flight is not None:
            answers = await self._heard(departure.flight.answers(), len(departure.loads))
        departure.flight = None  # what was not taken is repeated before any other begins
        answers = await self._persist(departure, answers)
        for order in (unsent := departure.unsent(answers)):
            await self._land(self._begin([order], departure.slot))
        for load, found in zip(departure.loads, answers, strict=True):
            if unsent and isinstance(found, UsageError):
                continue
            explained, queue = self._store.migrations.explained, load.batch.producer.queue
            answer = await explained(queue, found)
            if is_foreign(answer):  # or the queue has opened since, and is here by now
                (again,) = await self._attempt(self._links, [load.batch])
                answer = await explained(queue, again)
            if isinstance(answer, QueueFull):
                room = answer.bound - answer.waiting
                if fitting := load.fitting(room, answer.group):
                    await self._land(self._begin(fitting, departure.slot))
            self._end(load, answer)

    def _loads(self, orders: Sequence[Order], slot: int) -> list[Load]:
        if len(orders) == 1:
            return [self._load(orders[0].kind, orders, slot)]
        alike: dict[Kind, list[Order]] = {}
        for order in orders:
            alike.setdefault(order.kind, []).append(order)
        return [self._load(kind, those, slot) for kind, those in alike.items()]

    def _load(self, kind: Kind, orders: Sequence[Order], slot: int) -> Load:
        queue, _, plain, placed = kind
        jobs = orders[0].jobs if len(orders) == 1 else [job for order in orders for job in order.jobs]
        if placed is not None and (placed.asks or placed.request):  # for this once
            producer = self._store.producers.producer(
                queue, placed.request or secrets.token_hex(8), plain=False
            )
            if placed.request:
                producer = producer._replace(remembered=REMEMBERED_MS)
            return Load(Batch(producer, 1, jobs, placed), orders, monotonic())
        found = self._producers.get((kind, slot))
        if found is None:
            found = self._store.producers.producer(queue, secrets.token_hex(8), plain=plain)
            self._producers[kind, slot] = found
        return Load(Batch(found, next(self._numbers), jobs, placed or UNPLACED), orders, monotonic())

    async def _persist(self, departure: Departure, first: list[Answer] | None) -> list[Answer]:
        """Send batches until each is answered, for ``enqueue_timeout`` seconds at most; ``first`` are answers so far.

        What never left is the caller's, who may know better than to wait. What may have arrived is sent again, and so
        is what a server refused that has just ceased to be the primary. What nobody confirms in time is not repeated.
        """
        answers = first or await self._attempt(self._links, departure.batches)
        if len(answers) == 1 and isinstance(answers[0], list):
            return answers
        unknown = {at for at, answer in enumerate(answers) if is_silence(answer)}
        open_ = [at for at, answer in enumerate(answers) if at in unknown or self._meets_fail_over(answer)]
        since = monotonic() if self._durability == "memory" else departure.loads[0].since
        found = all(isinstance(answers[at], Redirected) for at in open_)  # who has them is known by now
        pause, deadline = 0.0 if found else PAUSES[0], since + self._store.settings.enqueue_timeout
        while open_ and monotonic() + pause <= deadline:
            await asyncio.sleep(pause)
            pause = min(max(2 * pause, PAUSES[0]), PAUSES[1])
            tried, left = [departure.batches[at] for at in open_], max(0.1, deadline - monotonic())
            again = await self._attempt(self._links, tried, left)
            for at, answer in zip(open_, again, strict=True):
                # who refuses it for its place has looked before whether it was added
                is_told = at not in unknown or isinstance(answer, Stale)
                answers[at] = answer if is_told else as_unknown(answer)
            unknown.update(at for at in open_ if is_silence(answers[at]))
            open_ = [at for at in open_ if is_away(answers[at])]
        return answers

    def _meets_fail_over(self, answer: Answer) -> bool:
        """Whether a server that is a primary no more has refused the batch: it added nothing, and the new primary
        will take it. Where there is one address only, there is no other to look at."""
        return isinstance(answer, Demoted) and self._server.several

    async def _attempt(self, links: Links, batches: Sequence[Batch], within: float = 0.0) -> list[Answer]:
        try:
            async with asyncio.timeout(within + ANSWER if within else None):  # a search may take longer
                sending = self._store.producers.submit_each(links, batches, self._durability, within or None)
                return await self._heard(sending, len(batches))
        except TimeoutError:
            return [OutcomeUnknown("no server has answered in time; the jobs may be enqueued")] * len(batches)

    async def _heard(self, answers: Awaitable[list[Answer]], count: int) -> list[Answer]:
        try:
            return await answers
        except StreamqError as error:
            return [error] * count
        except Exception as error:  # a fault of ours: it ends with these callers, not with all
            log.exception("sending %d batches failed", count)
            unknown = OutcomeUnknown(f"{type(error).__name__}: {error}; the jobs may be enqueued")
            unknown.__cause__ = error
            return [unknown] * count

    def _end(self, load: Load, answer: Answer) -> None:
        if isinstance(answer, list) and len(load.orders) == 1:
            load.orders[0].end(answer)
            return
        if isinstance(answer, Stale):
            for order in load.orders:
                self._resent.take(order, answer)
            return
        if isinstance(answer, OutcomeUnknown):  # the next batch must not make the server forget this one
            self._producers = {
                of: each for of, each in self._producers.items() if each is not load.batch.producer
            }
        at = 0
        for order in load.orders:
            end = at + len(order.jobs)
            if isinstance(answer, list):
                order.end(answer[at:end])
            else:
                own = copied(answer)  # each caller raises one of its own
                if isinstance(own, OutcomeUnknown):
                    own.ticket = Ticket(partial(self._repeat, load, at, end))
                order.end(own)
            at = end

    async def _repeat(self, load: Load, start: int, end: int) -> list[str]:
        if monotonic() > load.since + MEMORY:
            raise OutcomeUnknown(
                "the server has forgotten this batch, which was sent an hour ago: to send it again could add it twice. "
                "Look whether its jobs are there"
            )
        links = self._store.links("streamq-producer")
        try:
            (answer,) = await self._attempt(links, [load.batch])
        finally:
            await links.close()
        answer = as_unknown(answer)
        if isinstance(answer, list):
            return answer[start:end]
        raise answer.carrying(Ticket(partial(self._repeat, load, start, end)))

    async def close(self) -> None:
        await self._resent.close()
        while self._under_way or self._waiting:
            if self._task is not None:
                await asyncio.wait([self._task])
            else:  # a lone caller carries its own
                self._parting = asyncio.get_running_loop().create_future()
                await self._parting
                self._parting = None
        try:
            await self._forget()
        finally:
            await self._links.close()

    async def _forget(self) -> None:
        """Batches of unknown outcome have other names by now, and stay; what fails here expires by itself."""
        if not self._producers or not self._link.connected:
            return
        with contextlib.suppress(Unavailable):
            producers = list(self._producers.values())
            await self._store.producers.forget(self._link, producers, timeout=PARTING)
