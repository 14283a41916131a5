"""The fetcher: never asks for more than the free slots, on a connection of its own.

Ready jobs are read with XREADGROUP as it is, which costs the server half of what a script would. Every few seconds,
and when this process has just made some, it looks for suspects: jobs that crashed their workers next to the
limit. One of them is taken when nothing else runs here, and nothing else is taken until it ends, so that a job
which kills its process takes no neighbour along.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from streamq.clock import monotonic
from streamq.connection import Link, NoGroup
from streamq.envelope import Delivery, Held
from streamq.errors import Unavailable
from streamq.keys import GROUP
from streamq.store import Store

log = logging.getLogger("streamq.fetcher")

BLOCK_MS: Final = 5_000
LOOK_FOR_SUSPECTS: Final = 10.0
MOST: Final = 500
"""Entries read at once: more would hold the server up for no gain."""


class Fetcher:
    """Reads jobs and hands them to ``start`` as long as ``free()`` says how many slots there are.

    ``holds()`` names all that was handed over and is not settled.
    """

    def __init__(
        self, store: Store, queues: tuple[str, ...], worker: str, start: Callable[[Delivery], None],
        free: Callable[[], int], idle: Callable[[], bool], holds: Callable[[], set[Held]],
        blocked: Callable[[str], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        self._store, self._queues, self._worker = store, queues, worker
        self._start, self._free, self._idle, self._holds = start, free, idle, holds
        self._blocked = blocked
        self._link = Link(store.servers, worker)
        self._changed, self._ended = asyncio.Event(), asyncio.Event()
        self._stopping = False
        self._client_id = self._client_generation = 0
        self._suspects_due = 0.0
        self._unanswered = False
        self._turn = 0
        self._of = {store.keys(queue).ready.encode(): queue for queue in queues}

    def slot_changed(self) -> None:
        """An attempt has ended, or the backlog shrank."""
        self._changed.set()

    def look_for_suspects(self) -> None:
        """There may be some now."""
        self._suspects_due = 0.0

    async def run(self) -> None:
        """Fetch until stopped. Trouble with the server is waited out."""
        pause = 0.0
        try:
            while not self._stopping:
                try:
                    await self._turn_once()
                    if pause:
                        log.info("fetching again")
                    pause = 0.0
                except NoGroup:
                    await self._rejoin()
                except Unavailable as error:
                    self._unanswered = True
                    if not pause:
                        log.warning("cannot fetch: %s; trying on", error)
                    pause = min(2.0, 2 * pause or 0.05)
                    await asyncio.sleep(pause)
        finally:
            self._ended.set()
            await self._link.close()

    async def _rejoin(self) -> None:
        log.warning("a group of %s is gone; making it again", ", ".join(self._queues))
        try:
            await self._store.join(self._link, self._queues)
        except Unavailable:
            await asyncio.sleep(0.1)

    async def _give_back_unseen(self) -> None:
        """What was delivered in an answer that never came would be pending here for as long as we live."""
        for queue in self._queues:
            pending = await self._store.pending(self._link, queue, self._worker)
            held = self._holds()  # asked last: what ends meanwhile is refused by the server, not lost
            unseen = [(lane, entry) for lane, entry in pending if (queue, lane, entry) not in held]
            if unseen:
                back = await self._store.release(self._link, queue, unseen)
                log.warning(
                    "%d jobs on %s were delivered in an answer that was lost; they wait again", back, queue
                )
        self._unanswered = False

    async def _turn_once(self) -> None:
        if self._unanswered:
            await self._give_back_unseen()
        if monotonic() >= self._suspects_due:
            self._suspects_due = monotonic() + LOOK_FOR_SUSPECTS
            for queue in await self._store.suspects(self._link, self._queues):
                await self._fetch_alone(queue)
        if slots := await self._slots():
            await self._read(slots)

    async def _slots(self) -> int:
        """How many slots are free, once any is; 0 when told to stop."""
        while not self._stopping:
            self._changed.clear()
            if (free := self._free()) > 0:
                return min(free, MOST)
            await self._changed.wait()
        return 0

    async def _until_idle(self) -> None:
        while not self._idle() and not self._stopping:
            self._changed.clear()
            await self._changed.wait()

    async def _fetch_alone(self, queue: str) -> None:
        await self._until_idle()
        if self._stopping:
            return
        lane, entries = await self._store.fetch(self._link, queue, self._worker, self._free())
        for raw in entries:
            self._start(Delivery(queue, lane, raw))
        if lane == 2:
            self._suspects_due = 0.0  # where there was one there may be another
            await self._until_idle()

    async def _read(self, slots: int) -> None:
        lanes = [lane for lane, queue in self._of.items() if not self._blocked(queue)]
        if not lanes:  # no outcome can be written: what would be fetched could only be kept
            await self._changed.wait()
            return
        patient = (
            monotonic() < self._suspects_due
        )  # else there may be a suspect to see to, once these are read
        if slots >= len(lanes):
            await self._take(lanes, slots // len(lanes), slots, block=patient)
            return
        self._turn = (self._turn + 1) % len(lanes)  # fewer slots than queues: they take turns at being first
        left = slots
        for lane in lanes[self._turn :] + lanes[: self._turn]:
            if left:
                left -= await self._take([lane], left, left, block=False)
        if left == slots:
            await self._take(lanes, 1, slots, block=patient)

    async def _take(self, lanes: list[bytes], count: int, slots: int, *, block: bool) -> int:
        """Read up to ``count`` entries of each lane and start them; returns how many."""
        await self._know_client()
        reply = await self._link.call(
            "XREADGROUP", "GROUP", GROUP, self._worker, "COUNT", count, *(("BLOCK", BLOCK_MS) if block else ()),
            "STREAMS", *lanes, *[">"] * len(lanes), timeout=BLOCK_MS / 1000 + 5,
        )  # fmt: skip
        # an entry without fields was deleted by hand after it was delivered
        taken = [
            Delivery(self._of[lane], 1, raw) for lane, entries in reply or () for raw in entries if raw[1]
        ]
        for delivery in taken[:slots]:
            self._start(delivery)
        for surplus in taken[slots:]:  # several queues answered a read that waited for any of them
            await self._store.release(self._link, surplus.queue, [(1, surplus.entry)])
        return len(taken[:slots])

    async def _know_client(self) -> None:
        """Learn the server's id of this connection, by which a blocked read is woken at the end."""
        if not self._link.connected or self._client_generation != self._link.generation:
            self._client_id = await self._link.call("CLIENT", "ID")
            self._client_generation = self._link.generation

    async def stop(self) -> None:
        """Fetch no more. A blocked read is never cancelled, which could strand what it was just given: it is woken."""
        self._stopping = True
        self._changed.set()
        while not self._ended.is_set():
            try:
                await self._store.pool.call("CLIENT", "UNBLOCK", self._client_id)
            except Unavailable as error:
                log.debug("cannot wake the fetcher (%s); it ends within %d ms", error, BLOCK_MS)
            with contextlib.suppress(TimeoutError):  # it may have been about to block: so wake it again
                async with asyncio.timeout(0.1):
                    await self._ended.wait()
