"""Group commit for producers: one batch in flight; what arrives meanwhile leaves together in the next.

A lone caller waits one round trip, a thousand callers share a few, and there is no timer. Batches are numbered,
so one that went unanswered is sent again without fear: the script answers a number it has seen.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from streamq.clock import monotonic
from streamq.connection import Link
from streamq.envelope import New
from streamq.errors import OutcomeUnknown, StreamqError, Unavailable
from streamq.settings import Durability
from streamq.store import Store

BATCH: Final = 500
"""Jobs to a script call at most: a call of about 2 ms."""
BATCH_BYTES: Final = 1 << 20
_RANK: Final[dict[Durability, int]] = {"memory": 0, "fsync": 1, "replica": 2}


class _Order(NamedTuple):
    jobs: Sequence[New]
    durability: Durability
    ids: asyncio.Future[list[str]]


class _Batch(NamedTuple):
    producer: str
    number: int
    jobs: Sequence[New]
    durability: Durability


Repeat = Callable[[], Awaitable[list[str]]]


class Outbox:
    """The way out of one process to one queue."""

    def __init__(self, store: Store, queue: str) -> None:
        self._store, self._queue = store, queue
        self._link = Link(store.servers, "streamq-producer")
        self._waiting: list[_Order] = []
        self._flight: asyncio.Task[None] | None = None
        self._producer, self._number = secrets.token_hex(8), 0
        self._announced = False

    async def put(self, jobs: Sequence[New], durability: Durability) -> list[str]:
        """Send jobs and return their ids. Cancelling the caller does not unsend them."""
        ids: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Order(jobs, durability, ids))
        if self._flight is None:
            self._flight = asyncio.create_task(self._fly(), name=f"outbox {self._queue}")
        return await ids

    async def put_many(self, jobs: Sequence[New], durability: Durability) -> list[str]:
        """The same for any number of jobs, in slices that one script call takes."""
        return await self._put_slices(_slices(jobs), durability, [])

    async def _put_slices(
        self, slices: list[Sequence[New]], durability: Durability, ids: list[str]
    ) -> list[str]:
        for at, part in enumerate(slices):
            rest = slices[at + 1 :]
            try:
                ids += await self.put(part, durability)
            except OutcomeUnknown as error:
                raise error.repeated_by(partial(self._go_on, error.repeat, rest, durability, ids)) from error
            except Unavailable as error:
                if not ids:
                    raise
                unknown = OutcomeUnknown(f"{len(ids)} jobs are enqueued, the others are not: {error}")
                raise unknown.repeated_by(partial(self._put_slices, slices[at:], durability, ids)) from error
        return ids

    async def _go_on(
        self, repeat: Repeat | None, rest: list[Sequence[New]], durability: Durability, ids: list[str]
    ) -> list[str]:
        return await self._put_slices(rest, durability, ids + (await repeat() if repeat else []))

    async def _fly(self) -> None:
        try:
            while self._waiting:
                await self._send(self._take())
        finally:
            self._flight = None

    def _take(self) -> list[_Order]:
        count = size = taken = 0
        for order in self._waiting:
            count += len(order.jobs)
            size += sum(len(job.payload) for job in order.jobs)
            if taken and (count > BATCH or size > BATCH_BYTES):
                break
            taken += 1
        orders, self._waiting = self._waiting[:taken], self._waiting[taken:]
        return orders

    async def _send(self, orders: list[_Order]) -> None:
        self._number += 1
        durability = max((order.durability for order in orders), key=_RANK.__getitem__)
        batch = _Batch(self._producer, self._number, [j for order in orders for j in order.jobs], durability)
        try:
            ids = await self._persist(batch)
        except StreamqError as error:
            if isinstance(error, OutcomeUnknown):  # the next batch must not make the server forget this one
                self._producer, self._number = secrets.token_hex(8), 0
            self._refuse(orders, batch, error)
            return
        except BaseException:
            for order in orders:
                order.ids.cancel()
            raise
        at = 0
        for order in orders:
            if not order.ids.done():
                order.ids.set_result(ids[at : at + len(order.jobs)])
            at += len(order.jobs)

    def _refuse(self, orders: list[_Order], batch: _Batch, error: StreamqError) -> None:
        at = 0
        for order in orders:
            own: StreamqError = type(error)(*error.args)  # each caller raises one of its own
            own.__cause__ = error
            if isinstance(own, OutcomeUnknown):
                own.repeat = partial(self._repeat, batch, at, at + len(order.jobs))
            if not order.ids.done():
                order.ids.set_exception(own)
            at += len(order.jobs)

    async def _repeat(self, batch: _Batch, start: int, end: int) -> list[str]:
        link = Link(self._store.servers, "streamq-producer")
        try:
            return (await self._enqueue(link, batch))[start:end]
        except OutcomeUnknown as error:
            raise error.repeated_by(partial(self._repeat, batch, start, end)) from error
        finally:
            await link.close()

    async def _enqueue(self, link: Link, batch: _Batch) -> list[str]:
        if not self._announced:
            await self._store.announce(self._queue)
            self._announced = True
        producer, number, jobs, durability = batch
        return await self._store.enqueue(link, self._queue, producer, number, jobs, durability)

    async def _persist(self, batch: _Batch) -> list[str]:
        """Send one batch until it is answered, for ``enqueue_timeout`` seconds after the first silence."""
        pause, deadline = 0.05, 0.0
        while True:
            try:
                return await self._enqueue(self._link, batch)
            except Unavailable as error:
                unknown = isinstance(error, OutcomeUnknown)
                if not unknown and not deadline:
                    raise  # it never left: the caller may know better than to wait
                deadline = deadline or monotonic() + self._store.settings.enqueue_timeout
                if monotonic() + pause > deadline:
                    raise error if unknown else OutcomeUnknown(str(error)) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)

    async def close(self) -> None:
        """Wait for the batch in flight and drop the connection."""
        if self._flight is not None:
            await asyncio.wait([self._flight])
        await self._link.close()


def _slices(jobs: Sequence[New]) -> list[Sequence[New]]:
    slices, start, size = [], 0, 0
    for at, job in enumerate(jobs):
        size += len(job.payload)
        if at > start and (at - start >= BATCH or size > BATCH_BYTES):
            slices.append(jobs[start:at])
            start, size = at, len(job.payload)
    slices.append(jobs[start:])
    return slices
