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
from streamq.redis.links import Links
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
        self._queues = queues = tuple(dict.fromkeys(queues))
        self._links = store.links(worker)
        self._slots = Slots(free, idle)
        self.slot_changed = self._slots.changed
        """To be called when an attempt has ended, or the backlog shrank: once a job, so no method is around it."""
        self._reader = store.delivery.reader(self._links, worker)
        self._reads = Reads(store, self._links, self._reader, queues, self._take, blocked)
        self._suspects = Suspects(store, self._links, worker, self._slots, self._take, self._audit)
        self._unseen = Unseen(store, self._links, queues, worker, holds)
        self._ended = asyncio.Event()

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
            await self._links.close()

    async def give_back_unseen(self) -> int:
        """Give back, uncharged, what was delivered to this worker and never arrived; returns how many jobs.

        For after the end of ``run``, before the worker signs off. Raises ``Unavailable``.
        """
        try:
            await self._greet(self._queues)
            self._unseen.suspected()
            return await self._unseen.give_back(())
        finally:
            if self._ended.is_set():
                await self._links.close()

    # -- a turn ---------------------------------------------------------------------------------------------

    async def _turn(self) -> None:
        await self._audit()
        if self._suspects.due:
            await self._suspects.see_to(self._reads.open())
        if (slots := await self._free()) and not await self._greet(self._reads.open()):
            block = not (self._suspects.due or self._unseen.due)
            if not await self._reads.round(min(slots, MOST), block=block):
                await self._slots.pause(self._reads.rest())

    async def _audit(self) -> None:
        if self._unseen.due:
            await self._greet(self._reads.open())
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

    async def _greet(self, queues: Sequence[str]) -> bool:
        """Know the connections by which these queues are read; whether one is new, on which an answer may be lost."""
        replaced = await self._reader.greet(queues)
        if replaced:
            self._unseen.suspected()
        return replaced

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
                    await self._reader.wake()
            except (Unavailable, TimeoutError) as error:
                log.debug("cannot wake the fetcher (%s); it ends within %d ms", error, BLOCK_MS)
            if monotonic() > patience:
                await self._links.close()
            with contextlib.suppress(TimeoutError):  # it may have been about to block: so wake it again
                async with asyncio.timeout(0.1):
                    await self._ended.wait()


async def join_each(store: Store, links: Links, queues: Sequence[str]) -> None:
    """Make the groups of the queues. One that is refused is left to the reads, which put it aside and try again."""
    for queue in queues:
        with contextlib.suppress(Rejected):
            await store.delivery.join(links, (queue,))


def _tell(error: Exception) -> None:
    if isinstance(error, Unavailable):
        log.warning("cannot fetch: %s; retrying", error)
    else:
        log.error("fetching failed; retrying", exc_info=error)
