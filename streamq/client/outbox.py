"""Group commit for producers: one flight under way; what arrives meanwhile leaves together in the next.

A lone caller waits one round trip, a thousand callers share a few, and there is no timer. A flight carries the jobs
of any number of queues, so a process has as few connections with a thousand queues as with one. The jobs of a queue
are a batch of the flight. Batches are numbered, so one that went unanswered is sent again without fear: the script
answers a number it has seen. A fault of one order, or of one queue, is answered to those whose it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

from streamq.client.transfer import Transfer
from streamq.errors import (
    NotDurable,
    NotOpen,
    OutcomeUnknown,
    OutOfMemory,
    StreamqError,
    Ticket,
    Unavailable,
    UsageError,
)
from streamq.model.clock import monotonic
from streamq.model.envelope import New
from streamq.redis.answers import Demoted, concerns_all
from streamq.redis.link import Link
from streamq.redis.servers import Server
from streamq.settings import Durability
from streamq.store.producers import PRODUCER_MEMORY_MS, Answer, Batch
from streamq.store.store import Store

log = logging.getLogger("streamq.outbox")

BATCH: Final = 500
"""Jobs to a flight at most, and so to a script call: a call of about 2 ms."""
BATCH_BYTES: Final = 1 << 20
"""Bytes of names, payloads and headers to a flight at most; one job that has more flies alone."""
MEMORY: Final = PRODUCER_MEMORY_MS / 1000 - 60.0
"""Seconds in which a batch may be repeated: the server forgets it soon after, and would add it again."""
PARTING: Final = 1.0
"""Seconds that closing may take to make the server forget what is of no more use."""


class _Order(NamedTuple):
    kind: tuple[str, bool]
    """Its queue, and whether its jobs are delayed: a fault of `delayed` stops no other jobs."""
    jobs: Sequence[New]
    size: int
    ids: asyncio.Future[list[str]]

    def end(self, answer: Answer) -> None:
        """Answer the caller, unless it has gone."""
        if self.ids.done():
            return
        if isinstance(answer, list):
            self.ids.set_result(answer)
        else:
            self.ids.set_exception(answer)


class _Load(NamedTuple):
    """The orders of a flight that make one batch, and the moment it was made."""

    batch: Batch
    orders: Sequence[_Order]
    since: float


class Outbox:
    """The way out of one process. At most two connections to a server for each durability in use."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._carriers: dict[tuple[Server, Durability, bool], _Carrier] = {}
        self._closed = False

    async def put(self, queue: str, jobs: Sequence[New], durability: Durability) -> list[str]:
        """Send jobs, no more than one call takes, and return their ids. Cancelling the caller does not unsend them.

        Raises ``UsageError`` for what cannot be written, else ``Unavailable`` and its kin, ``OutcomeUnknown`` with
        a way to repeat.
        """
        if self._closed:
            raise NotOpen
        size = sum([len(task) + len(payload) + len(headers) for task, payload, headers, _ in jobs])
        # what may be too long for the server has a connection of its own, where it keeps nobody waiting
        server = self._store.servers.of(queue)
        kind = (server, durability, size > BATCH_BYTES)
        carrier = self._carriers.get(kind)
        if carrier is None:
            carrier = self._carriers[kind] = _Carrier(self._store, server, durability)
        ids: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        carrier.add(_Order((queue, jobs[0].due != ""), jobs, size, ids))
        return await ids

    async def put_many(self, queue: str, jobs: Iterable[New], durability: Durability) -> list[str]:
        """The same for any number of jobs, taken from ``jobs`` as they are sent, in slices that one call takes."""
        return await Transfer(lambda part: self.put(queue, part, durability), _slices(jobs)).run()

    async def close(self) -> None:
        """Wait for the flights under way, let the server forget what nobody repeats, and drop the connections."""
        self._closed = True
        await asyncio.gather(*(carrier.close() for carrier in self._carriers.values()))


class _Carrier:
    """Flights of one durability to one server, one after the other, over one connection."""

    def __init__(self, store: Store, server: Server, durability: Durability) -> None:
        self._store, self._server, self._durability = store, server, durability
        self._link = Link(server, "streamq-producer")
        self._waiting: list[_Order] = []
        self._flight: asyncio.Task[None] | None = None
        self._names: dict[tuple[str, bool], str] = {}
        """The name of the producer, by kind of order."""
        self._numbers = itertools.count(1)

    def add(self, order: _Order) -> None:
        self._waiting.append(order)
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly(), name="outbox")

    async def _fly(self) -> None:
        orders: list[_Order] = []
        try:
            while self._waiting:
                orders = self._take()
                await self._send(orders)
        except BaseException:  # the loop ends; nobody waits for ever
            for order in orders:
                order.end(
                    OutcomeUnknown("the event loop ended while the jobs were sent: they may be enqueued")
                )
            for order in self._waiting:
                order.end(Unavailable("the event loop ended before the jobs were sent"))
            self._waiting.clear()
            raise
        finally:
            self._flight = None

    def _take(self) -> list[_Order]:
        if len(self._waiting) == 1:
            orders, self._waiting = self._waiting, []
            return orders
        count = size = taken = 0
        for order in self._waiting:
            count += len(order.jobs)
            size += order.size
            if taken and (count > BATCH or size > BATCH_BYTES):
                break
            taken += 1
        orders, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return orders

    async def _send(self, orders: Sequence[_Order]) -> None:
        if len(orders) == 1:  # of a lone caller, by the shortest way
            load = self._load(orders[0].kind, orders)
            self._end(load, (await self._persist((load.batch,)))[0])
            return
        loads = self._loads(orders)
        answers = await self._persist([load.batch for load in loads])
        if isinstance(answers[0], UsageError):
            # one of them cannot be written, and nothing was sent: each flies alone
            for order in orders:
                await self._send([order])
            return
        for load, answer in zip(loads, answers, strict=True):
            self._end(load, answer)

    def _loads(self, orders: Sequence[_Order]) -> list[_Load]:
        alike: dict[tuple[str, bool], list[_Order]] = {}
        for order in orders:
            alike.setdefault(order.kind, []).append(order)
        return [self._load(kind, those) for kind, those in alike.items()]

    def _load(self, kind: tuple[str, bool], orders: Sequence[_Order]) -> _Load:
        producer = self._names.get(kind)
        if producer is None:
            producer = self._names[kind] = secrets.token_hex(8)
        jobs = orders[0].jobs if len(orders) == 1 else [job for order in orders for job in order.jobs]
        return _Load(Batch(kind[0], producer, next(self._numbers), jobs), orders, monotonic())

    async def _persist(self, batches: Sequence[Batch]) -> list[Answer]:
        """Send batches until each is answered, for ``enqueue_timeout`` seconds at most.

        What never left is the caller's, who may know better than to wait. What may have arrived is sent again, and so
        is what a server refused that has just ceased to be the primary.
        """
        answers: list[Answer] = await self._attempt(self._link, batches)
        if len(answers) == 1 and isinstance(answers[0], list):
            return answers
        unknown = {at for at, answer in enumerate(answers) if _is_silence(answer)}
        open_ = [at for at, answer in enumerate(answers) if at in unknown or self._meets_fail_over(answer)]
        pause, deadline = 0.05, monotonic() + self._store.settings.enqueue_timeout
        while open_ and monotonic() + pause <= deadline:
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
            again = await self._attempt(self._link, [batches[at] for at in open_])
            for at, answer in zip(open_, again, strict=True):
                answers[at] = _as_unknown(answer) if at in unknown else answer
            unknown.update(at for at in open_ if _is_silence(answers[at]))
            open_ = [at for at in open_ if _is_away(answers[at])]
        return answers

    def _meets_fail_over(self, answer: Answer) -> bool:
        """Whether a server that is a primary no more has refused the batch: it added nothing, and the new primary
        will take it. Where there is one address only, there is no other to look at."""
        return isinstance(answer, Demoted) and self._server.several

    async def _attempt(self, link: Link, batches: Sequence[Batch]) -> list[Answer]:
        try:
            return await self._store.producers.submit(link, batches, self._durability)
        except StreamqError as error:
            return [error] * len(batches)
        except Exception as error:  # a fault of ours: it ends with these callers, not with all
            log.exception("sending %d batches failed", len(batches))
            unknown = OutcomeUnknown(f"{type(error).__name__}: {error}; the jobs may be enqueued")
            unknown.__cause__ = error
            return [unknown] * len(batches)

    def _end(self, load: _Load, answer: Answer) -> None:
        if isinstance(answer, list) and len(load.orders) == 1:
            load.orders[0].end(answer)
            return
        if isinstance(answer, OutcomeUnknown):  # the next batch must not make the server forget this one
            self._names = {kind: name for kind, name in self._names.items() if name != load.batch.producer}
        at = 0
        for order in load.orders:
            end = at + len(order.jobs)
            if isinstance(answer, list):
                order.end(answer[at:end])
            else:
                own = _copied(answer)  # each caller raises one of its own
                if isinstance(own, OutcomeUnknown):
                    own.ticket = Ticket(partial(self._repeat, load, at, end))
                order.end(own)
            at = end

    async def _repeat(self, load: _Load, start: int, end: int) -> list[str]:
        if monotonic() > load.since + MEMORY:
            raise OutcomeUnknown(
                "the server has forgotten this batch, which was sent an hour ago: to send it again could add it twice. "
                "Look whether its jobs are there"
            )
        link = Link(self._server, "streamq-producer")
        try:
            (answer,) = await self._attempt(link, [load.batch])
        finally:
            await link.close()
        answer = _as_unknown(answer)
        if isinstance(answer, list):
            return answer[start:end]
        raise answer.carrying(Ticket(partial(self._repeat, load, start, end)))

    async def close(self) -> None:
        if self._flight is not None:
            await asyncio.wait([self._flight])
        try:
            await self._forget()
        finally:
            await self._link.close()

    async def _forget(self) -> None:
        """Batches of unknown outcome have other names by now, and stay; what fails here expires by itself."""
        if not self._names or not self._link.connected:
            return
        producers = [(queue, name) for (queue, _), name in self._names.items()]
        with contextlib.suppress(Unavailable):
            await self._store.producers.forget(self._link, producers, timeout=PARTING)


def _is_silence(answer: Answer) -> bool:
    return isinstance(answer, OutcomeUnknown) and not isinstance(answer, NotDurable)


def _is_away(answer: Answer) -> bool:
    return concerns_all(answer) and not isinstance(answer, OutOfMemory)


def _as_unknown(answer: Answer) -> list[str] | OutcomeUnknown:
    """An answer to what was sent before and may have run: a refusal says nothing of the first time."""
    if isinstance(answer, list | OutcomeUnknown):
        return answer
    unknown = OutcomeUnknown(f"the jobs may be enqueued already; asking again was refused: {answer}")
    unknown.__cause__ = answer
    return unknown


def _copied(error: StreamqError) -> StreamqError:
    own = type(error).__new__(type(error), *error.args)  # without ``__init__``, whose arguments are not kept
    own.__dict__.update(error.__dict__)
    own.__cause__ = error
    return own


def _slices(jobs: Iterable[New]) -> Iterator[list[New]]:
    part: list[New] = []
    size = 0
    for job in jobs:
        own = len(job[0]) + len(job[1]) + len(job[2])  # task, payload, headers: once a job, so without a call
        size += own
        if part and (len(part) >= BATCH or size > BATCH_BYTES):
            yield part
            part, size = [], own
        part.append(job)
    if part:
        yield part
