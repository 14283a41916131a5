"""The fetcher: never asks for more than the free slots, on a connection of its own.

It takes turns: first what is due beside reading (the self-audit, a look for suspects), then one round of reads. It
goes on through everything but its stop; a fault of one queue concerns that queue alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from streamq.errors import Rejected, Unavailable
from streamq.model.clock import monotonic
from streamq.model.envelope import Delivery, Held
from streamq.redis.link import Link
from streamq.store.store import Store
from streamq.worker.reads import BLOCK_MS, Reads
from streamq.worker.slots import Slots
from streamq.worker.suspects import Suspects
from streamq.worker.unseen import Unseen

log = logging.getLogger("streamq.fetcher")

MOST: Final = 500
"""Entries read at once: more would hold the server up for no gain. No read can be bounded by bytes."""
PAUSE: Final = (0.05, 2.0)
"""Seconds to wait while the server cannot be reached: at first, and at most."""
STOP: Final = 5.0
"""Seconds after which a stop no longer waits for the answer to a blocked read that cannot be woken."""


class Fetcher:
    """Reads jobs and hands them to ``start`` as long as ``free()`` says how many slots there are.

    ``idle()`` tells whether nothing runs here. ``holds()`` names all that was handed over and is not settled, at any
    moment: what it leaves out is given back. A queue is not read while it is ``blocked``.
    """

    def __init__(
        self, store: Store, queues: tuple[str, ...], worker: str, start: Callable[[Delivery], None],
        free: Callable[[], int], idle: Callable[[], bool], holds: Callable[[], set[Held]],
        blocked: Callable[[str], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        self._store, self._start = store, start
        queues = tuple(dict.fromkeys(queues))
        self._link = Link(store.servers, worker)
        self._worker = worker
        self._slots = Slots(free, idle)
        self.slot_changed = self._slots.changed
        """To be called when an attempt has ended, or the backlog shrank: once a job, so no method is around it."""
        self._reads = Reads(store, self._link, queues, worker, self._take, blocked)
        self._suspects = Suspects(store, self._link, worker, self._slots, self._take, self._audit)
        self._unseen = Unseen(store, self._link, queues, worker, holds)
        self._ended = asyncio.Event()
        self._client_id = self._generation = 0

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._slots.stopping

    def look_for_suspects(self) -> None:
        """There may be some now."""
        self._suspects.look()

    async def run(self) -> None:
        """Fetch until stopped. Every trouble is waited out."""
        pause = 0.0
        self._slots.open()
        try:
            while not self.stopping:
                try:
                    await self._turn()
                    if pause:
                        log.info("fetching again")
                    pause = 0.0
                except Exception as error:  # whatever it is: nobody else would fetch
                    self._unseen.suspected()
                    if not pause:
                        _tell(error)
                    pause = min(PAUSE[1], 2 * pause or PAUSE[0])
                    await self._slots.pause(pause)
        finally:
            self._ended.set()
            self._slots.close()
            await self._link.close()

    async def give_back_unseen(self) -> int:
        """Give back, uncharged, what was delivered to this worker and never arrived; returns how many jobs.

        For after the end of ``run``, before the worker signs off. Raises ``Unavailable``.
        """
        try:
            await self._greet()
            self._unseen.suspected()
            return await self._unseen.give_back(())
        finally:
            if self._ended.is_set():
                await self._link.close()

    # -- a turn ---------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        await self._audit()
        if self._suspects.due:
            await self._suspects.see_to(self._reads.open())
        if (slots := await self._free()) and not await self._greet():
            block = not (self._suspects.due or self._unseen.due)
            if not await self._reads.round(min(slots, MOST), block=block):
                await self._slots.pause(self._reads.rest())

    async def _audit(self) -> None:
        if self._unseen.due:
            await self._greet()
            await self._unseen.give_back(self._suspects.present)

    async def _free(self) -> int:
        """How many slots are free, once any is; 0 when something else is due first."""
        while not self.stopping:
            if (free := self._slots.free()) > 0:
                return free
            if self._unseen.due:
                return 0
            await self._slots.change()
        return 0

    async def _greet(self) -> bool:
        """Learn the server's id of a new connection, by which a blocked read is woken; whether it replaces another.

        A proxy may keep the old one open, with our read still blocked on it: that would take the next job.
        """
        if self._link.connected and self._generation == self._link.generation:
            return False
        former, self._client_id = self._client_id, 0
        with contextlib.suppress(Rejected):  # without the right to ask, a read ends by itself
            self._client_id = await self._link.call("CLIENT", "ID")
        self._generation = self._link.generation
        if not former:
            return False
        self._unseen.suspected()
        await self._end_read_of(former)
        return True

    async def _end_read_of(self, client_id: int) -> None:
        """Wake our read on a former connection. The name is asked for, since ids begin anew with each server."""
        with contextlib.suppress(Rejected):  # no right to do so: the audits find what it took
            listed = await self._link.call("CLIENT", "LIST", "ID", client_id)
            if f"name={self._worker}".encode() in listed.split():
                await self._link.call("CLIENT", "UNBLOCK", client_id)

    def _take(self, queue: str, lane: int, entries: list[Any]) -> None:
        if entries:
            log.debug("%d jobs of %s arrive", len(entries), queue)
        for raw in entries:
            try:
                if raw[1]:  # else it was deleted by hand
                    self._start(Delivery(queue, lane, raw))
            except Exception:  # its neighbours are delivered too; the next audit gives it back
                log.exception("the entry %s of %s could not be started", raw[0], queue)

    # -- stop -----------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Fetch no more. A blocked read is never cancelled, which could strand what it was just given: it is woken.

        Only when the server does not answer at all is it given up.
        """
        self._slots.stop()
        patience = monotonic() + STOP
        while not self._ended.is_set():
            try:
                async with asyncio.timeout(1.0):
                    await self._store.pool.call("CLIENT", "UNBLOCK", self._client_id)
            except (Unavailable, TimeoutError) as error:
                log.debug("cannot wake the fetcher (%s); it ends within %d ms", error, BLOCK_MS)
            if monotonic() > patience:
                await self._link.close()
            with contextlib.suppress(TimeoutError):  # it may have been about to block: so wake it again
                async with asyncio.timeout(0.1):
                    await self._ended.wait()


async def join_each(store: Store, link: Link, queues: Sequence[str]) -> None:
    """Make the groups of the queues. One that is refused is left to the reads, which put it aside and try again."""
    for queue in queues:
        with contextlib.suppress(Rejected):
            await store.join(link, (queue,))


def _tell(error: Exception) -> None:
    if isinstance(error, Unavailable):
        log.warning("cannot fetch: %s; retrying", error)
    else:
        log.error("fetching failed; retrying", exc_info=error)
