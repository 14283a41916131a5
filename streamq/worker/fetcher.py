"""The fetcher: never asks for more than the free slots, on a connection of its own.

It takes turns: first what is due beside reading (the self-audit, a look for suspects), then one round of reads. It
goes on through everything but its stop; a fault of one queue concerns that queue alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from streamq.errors import Rejected, Unavailable
from streamq.model.clock import monotonic
from streamq.redis.links import Links
from streamq.store.store import Store
from streamq.store.workers import Beats
from streamq.worker.reads import BLOCK_MS, READ_LIMIT, Reads
from streamq.worker.runner import Runner
from streamq.worker.slots import Slots
from streamq.worker.steered import Steered
from streamq.worker.suspects import Suspects
from streamq.worker.turns import Turns
from streamq.worker.unseen import Unseen

log = logging.getLogger("streamq.fetcher")

PAUSE: Final = (0.05, 2.0)
"""Seconds to wait while the server cannot be reached: at first, and at most. A failover takes seconds."""
STOP: Final = 5.0
"""Seconds after which a stop no longer waits for the answer to a blocked read that cannot be woken: that ends by itself
within as long, unless the server is away."""


class Fetcher:
    """Reads jobs and has them run, as many as ``slots`` are free."""

    def __init__(
        self, store: Store, queues: Sequence[str], worker: str, slots: Slots, runner: Runner,
        turns: Turns | None = None,
    ) -> None:  # fmt: skip
        self._slots, self._queues, self._links = slots, queues, store.reading_links(worker)
        self._reader = store.delivery.reader(self._links, worker)
        self._steered = Steered(store, queues, slots, self._wake)
        self._reads = Reads(
            store,
            self._links,
            self._reader,
            queues,
            slots,
            runner,
            self._steered,
            Turns() if turns is None else turns,
            worker,
        )
        self._unseen = Unseen(store, self._links, self._reader, queues, worker, slots, self._steered)
        self._suspects = Suspects(store, self._links, worker, slots, runner, self._unseen, self._steered)
        self._ended = asyncio.Event()
        self._wakings: set[asyncio.Future[None]] = set()

    def serve(self) -> None:
        """There are more queues: those that it was given have grown."""
        self._reads.serve()
        self._steered.serve()
        self._wake()

    def look_for_suspects(self) -> None:
        """There may be some now."""
        self._suspects.look()

    def visited(self, beats: Beats) -> None:
        """The heartbeat has learned this of some queues."""
        self._steered.visited(beats)
        self._reader.suspect(beats.lying)

    def be_quiet(self, *, quiet: bool) -> None:
        """Take no new jobs, or take them again; what runs goes on."""
        self._slots.quiet = quiet
        self._wake()

    async def run(self) -> None:
        """Fetch until stopped. Every trouble is waited out."""
        pause = 0.0
        self._slots.open()
        self._steered.listen()
        try:
            while self._reads.is_reading or not self._slots.stopping:
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
            self._steered.close()
            self._slots.close()
            await self._reader.close()
            await self._let_go()

    async def give_back_unseen(self) -> int:
        """Give back, uncharged, what was delivered to this worker and never arrived; returns how many jobs.

        For after the end of ``run``, before the worker signs off. Raises ``Unavailable``.
        """
        try:
            await self._reader.greet()
            self._unseen.suspected()
            return await self._unseen.give_back(())
        finally:
            if self._ended.is_set():
                await self._let_go()

    async def _let_go(self) -> None:
        """Drop the connections that are its own."""
        if self._links.is_one:
            await self._links.close()

    async def _turn(self) -> None:
        suspects, unseen = self._suspects, self._unseen
        more = not (suspects.due or unseen.due or self._steered.due or self._slots.stopping)
        # by itself: an audit would take what is under way for lost
        if await self._reads.take_in(more=more):
            return
        if self._steered.due:
            await self._steered.look(self._links)
        await unseen.audit(suspects.present)
        if suspects.due:
            await suspects.see_to(self._reads.open())
        if not (slots := await self._free()):
            return
        if await self._reader.greet():
            unseen.suspected()
            return
        if self._steered.due:  # news of this moment, which would wake no read that is yet to block
            return
        block = not (suspects.due or unseen.due)
        if not await self._reads.round(min(slots, READ_LIMIT), block=block):
            await self._slots.pause(self._reads.rest())

    async def _free(self) -> int:
        """How many slots are free, once any is; 0 when something else is due first."""
        while not self._slots.stopping:
            if (free := self._slots.free) > 0:
                return free
            if self._unseen.due or self._steered.due:
                return 0
            await self._slots.change()
        return 0

    def _wake(self) -> None:
        """Something was told to a queue: a read that is blocked ends, as it may be for too much."""
        self._slots.changed()
        waking = asyncio.ensure_future(self._wake_read())
        self._wakings.add(waking)
        waking.add_done_callback(self._wakings.discard)

    async def _wake_read(self) -> None:
        with contextlib.suppress(Unavailable):  # it ends by itself, within seconds
            await self._reader.wake()

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
