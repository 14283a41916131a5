"""How a worker ends: what runs gets its time, what cannot end goes back uncharged, and the worker leaves the lists.

Senders end before those they send to: the fetcher, the runner, the settler, the heartbeat.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from streamq.errors import OutcomeUnknown, Rejected, StreamqError
from streamq.model.counted import counted
from streamq.model.envelope import Delivery
from streamq.model.places import queue_of
from streamq.model.worker_info import WorkerInfo
from streamq.redis.links import Links
from streamq.store.store import Store
from streamq.worker import time_limits
from streamq.worker.fetcher import Fetcher
from streamq.worker.runner import Runner
from streamq.worker.settler import Settler
from streamq.worker.slots import Slots

log = logging.getLogger("streamq.worker")

FLUSH: Final = 5.0
"""Seconds the last outcomes may take to be written, and the sign-off to be answered: a server that restarts is back by
then, and an orchestrator does not wait for much longer."""


class Shutdown:
    """The end of one worker. Jobs that it gives back are counted in ``given_back``, by queue."""

    def __init__(
        self, store: Store, info: WorkerInfo, slots: Slots, fetcher: Fetcher, runner: Runner, settler: Settler
    ) -> None:
        self._store, self._info, self._slots = store, info, slots
        self._fetcher, self._runner, self._settler = fetcher, runner, settler
        self.given_back: Counter[str] = Counter()

    # -- while the settler runs -----------------------------------------------------------------------------

    async def end_attempts(
        self, fetching: asyncio.Task[None], settling: asyncio.Task[None], grace: float, at_once: asyncio.Event
    ) -> None:
        """Fetch no more; end what runs within the grace, or ``at_once``; give back the rest, and write all outcomes."""
        log.info("stopping: %d jobs run; they have %.0f s", len(self._slots.running), grace)
        await self._fetcher.stop()
        await asyncio.wait([fetching])
        await self._until_settled(grace, at_once.wait())
        self._runner.interrupt()
        await self._until_settled(time_limits.CANCEL_GRACE)
        if left := self._runner.abandon():
            log.warning("%d handlers go on after being cancelled; their jobs are given back", len(left))
        await self._give_back([*self._runner.given_back, *left])
        self._settler.stop()
        _, late = await asyncio.wait([settling], timeout=FLUSH)
        if late:
            unwritten = len(self._slots.unwritten())
            log.error("%d outcomes could not be written; their jobs will start again", unwritten)
            settling.cancel()

    async def _until_settled(self, seconds: float, *others: Coroutine[Any, Any, Any]) -> None:
        """Wait until every attempt has its outcome, one of ``others`` ends, or the time is over."""
        waits = [asyncio.create_task(each) for each in (self._slots.all_settled(), *others)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    async def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        by_queue: dict[str, list[tuple[int, bytes]]] = {}
        for delivery in deliveries:
            by_queue.setdefault(delivery.queue, []).append((delivery.lane, delivery.entry))
        for queue, entries in by_queue.items():
            try:
                async with self._store.pool.links() as links:
                    await self._release(links, queue, entries)
            except StreamqError as error:
                log.warning("cannot give jobs on %s back now: %s", queue_of(queue), error)

    async def _release(self, links: Links, queue: str, entries: Sequence[tuple[int, bytes]]) -> None:
        self.given_back[queue_of(queue)] += await self._store.delivery.release(links, queue, entries)

    def describe(self, info: WorkerInfo) -> None:
        """The worker has another description, as it serves more."""
        self._info = info

    # -- once the heartbeat has ended -----------------------------------------------------------------------

    async def sign_off(self, *, has_fetched: bool) -> None:
        """Take the worker off the lists, and give back what the server still has under its name, uncharged."""
        self._runner.overdue.leave()
        try:
            async with asyncio.timeout(FLUSH):
                if has_fetched:
                    await _answered(self._fetcher.give_back_unseen)
                for queue in self._info.queues:
                    await _answered(partial(self._leave, queue))
                await _answered(partial(self._store.workers.forget, self._info.name, self._info.token))
        except (StreamqError, TimeoutError) as error:
            said = str(error) or "no answer"
            log.warning("cannot sign off (%s); others will, when the lease is over", said)

    async def _leave(self, queue: str) -> None:
        """What is left: jobs in an answer that was lost, and those whose outcomes could not be written."""
        store, name = self._store, self._info.name
        async with store.pool.links() as links:
            if pending := await store.delivery.pending_in(links, queue, name):
                await self._release(links, queue, pending)
            if due_again := self._runner.overdue.due_again(queue):
                await store.delayed.bring_back(links, queue, due_again)
            await store.recovery.reclaim(
                links, queue, name, None
            )  # it has nothing any more: only its name goes

    def tell(self) -> None:
        """The last line of the log."""
        back = {queue: count for queue, count in sorted(self.given_back.items()) if count}
        each = ", ".join(f"{count} on {queue}" for queue, count in back.items())
        said = (
            f"gave {counted(sum(back.values()), 'job')} back, uncharged: {each}"
            if back
            else "no job was given back"
        )
        log.info("worker %s has ended; %s", self._info.name, said)


async def _answered(act: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """A connection may have been lost without our knowledge: what was not answered is sent again once."""
    try:
        await act()
    except OutcomeUnknown:
        await act()
    except Rejected as error:  # one queue is refused; the others go on
        log.warning("cannot sign off: %s", error)
