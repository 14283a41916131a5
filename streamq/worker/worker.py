"""The worker: assembles the duties, starts them in order and stops them in the reverse."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Sequence
from typing import Any

from streamq.app import App
from streamq.connection import Link
from streamq.envelope import Delivery, Held
from streamq.errors import ConfigurationError, NameTaken, Unavailable
from streamq.worker.duty import Duty, tick
from streamq.worker.fetcher import Fetcher, join_each
from streamq.worker.heartbeat import Heartbeat
from streamq.worker.identity import checked_name, claim, describe, new_name
from streamq.worker.runner import Runner
from streamq.worker.settler import Settler
from streamq.worker.upkeep import upkeep
from streamq.worker.voucher import Voucher

log = logging.getLogger("streamq.worker")

OBEY = 2.0
"""Seconds a cancelled handler may take to end at a shutdown; one in a thread cannot be cancelled at all."""
FLUSH = 5.0
"""Seconds the last outcomes may take to be written at a shutdown."""


class Worker:
    """Runs the jobs of ``queues`` (default: those of all tasks), ``concurrency`` at once.

    ``duties=False`` leaves promoting, reclaiming, pruning and auditing to schedulers and other workers.
    Raises ``ConfigurationError`` when the app has no task for any of the queues, and for a name that is not 1 to 64
    letters, digits, ``_``, ``.`` or ``-``.
    """

    def __init__(
        self, app: App, *, queues: Sequence[str] = (), concurrency: int | None = None, duties: bool = True,
        name: str | None = None,
    ) -> None:  # fmt: skip
        settings = app.settings
        known = {task.queue for task in app.tasks.values()}
        self.queues = tuple(queues or settings.queues or sorted(known))
        if not self.queues:
            raise ConfigurationError("the app has no task: declare one with @app.task, or name the queues")
        self.app, self.name = app, checked_name(name) if name else new_name()
        self.concurrency = concurrency or settings.concurrency
        self._with_duties = duties
        self._stop = asyncio.Event()
        self._now = asyncio.Event()
        self._grace = settings.shutdown_grace
        self._taken: NameTaken | None = None

    # -- signals --------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Shut down: fetch no more, let what runs finish within the grace. A second call: give it back now."""
        if self._stop.is_set():
            self._now.set()
        self._stop.set()

    # -- life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until ``stop`` or cancellation; both end in order.

        Raises ``Unavailable`` when no server is ready, and ``NameTaken`` when another living worker has the name.
        """
        app = self.app
        await app.wait_ready()
        async with app.lifespan(app):
            self._assemble()
            link = Link(app.store.servers, self.name)
            try:
                await join_each(app.store, link, self.queues)
                for queue in self.queues:
                    await app.store.announce(queue)
            finally:
                await link.close()
            await app.store.read_clock()
            await claim(app.store, self.info)
            try:
                await self.heartbeat.start()
                gc.collect()
                gc.freeze()  # what is loaded by now stays; looking through it again held jobs up for 15 to 50 ms
                log.info("worker %s: %s, %d at once", self.name, ", ".join(self.queues), self.concurrency)
                await self._work()
            finally:
                await self.heartbeat.stop()
                await self._leave()
                self.runner.close()

    def _assemble(self) -> None:
        app, store = self.app, self.app.store
        self.info = describe(self.name, self.queues, self.concurrency, app.settings)
        self.heartbeat = Heartbeat(store, self.info, self._name_taken)
        self.settler = Settler(store, self.name, self._progressed)
        self.runner = Runner(app, self.settler, store.clock, self.name, self._progressed)
        self.fetcher = Fetcher(
            store, self.queues, self.name, self.runner.start, self._free, self._idle, self._holds
        )
        self._duties: list[Duty] = [Voucher(store, app.views, self._all_queues, own=self.name)]
        if self._with_duties:
            self._duties = upkeep(
                app, self._all_queues, worker=self.name, on_suspects=self.fetcher.look_for_suspects
            )

    def _name_taken(self, error: NameTaken) -> None:
        """Somebody claimed the name while ours was not on the list. What runs here goes back, and we stop."""
        log.critical("%s; stopping", error)
        self._taken = error
        self.stop()
        self.stop()

    def _all_queues(self) -> Sequence[str]:
        return self.queues

    def _free(self) -> int:
        """Free slots; fewer while outcomes pile up, so that a slow server slows the fetching down."""
        return self.concurrency - len(self.runner.running) - max(0, self.settler.backlog - self.concurrency)

    def _idle(self) -> bool:
        return not self.runner.running

    def _holds(self) -> set[Held]:
        return {attempt.delivery.held for attempt in self.runner.running} | self.settler.holds()

    def _progressed(self) -> None:
        self.fetcher.slot_changed()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            settling = group.create_task(self.settler.run(), name="settler")
            duties = [group.create_task(tick(duty), name=duty.name) for duty in self._duties]
            fetching = group.create_task(self.fetcher.run(), name="fetcher")
            cancelled: asyncio.CancelledError | None = None
            try:
                await self._stop.wait()
            except asyncio.CancelledError as error:  # in order all the same, and re-raised at the end
                cancelled = error
                self._stop.set()
            await self._shut_down(fetching, settling)
            for duty in duties:
                duty.cancel()
            if cancelled is not None:
                raise cancelled
        if self._taken is not None:
            raise self._taken

    async def _shut_down(self, fetching: asyncio.Task[None], settling: asyncio.Task[None]) -> None:
        """Senders end before those they send to: fetcher, runner, settler."""
        running = len(self.runner.running)
        log.info("stopping: %d jobs run; they have %.0f s", running, self._grace)
        self.runner.stopping = True
        await self.fetcher.stop()
        await asyncio.wait([fetching])
        await self._drain()
        self.runner.interrupt()
        if handles := self._handles():
            await asyncio.wait(handles, timeout=OBEY)
        if stubborn := [attempt.delivery for attempt in self.runner.running]:
            log.warning("%d handlers go on after being cancelled; their jobs are given back", len(stubborn))
        await self._give_back([*self.runner.given_back, *stubborn])
        self.settler.stop()
        _, late = await asyncio.wait([settling], timeout=FLUSH)
        if late:
            log.error("%d outcomes could not be written; their jobs will start again", self.settler.backlog)
            settling.cancel()

    async def _drain(self) -> None:
        """Wait for what runs, at most for the grace, or until told to be quick."""
        quick = asyncio.create_task(self._now.wait())
        deadline = asyncio.get_running_loop().time() + self._grace
        try:
            while self.runner.running and not quick.done():
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    return
                waited = [quick, *self._handles()]
                await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            quick.cancel()

    def _handles(self) -> list[asyncio.Task[Any]]:
        return [attempt.handle for attempt in self.runner.running if attempt.handle is not None]

    async def _give_back(self, deliveries: list[Delivery]) -> None:
        by_queue: dict[str, list[tuple[int, bytes]]] = {}
        for delivery in deliveries:
            by_queue.setdefault(delivery.queue, []).append((delivery.lane, delivery.entry))
        try:
            async with self.app.store.pool.link() as link:
                for queue, held in by_queue.items():
                    back = await self.app.store.release(link, queue, held)
                    log.info("gave %d jobs on %s back, uncharged", back, queue)
        except Unavailable as error:
            log.warning("cannot give jobs back (%s); they start again when the lease is over", error)

    async def _leave(self) -> None:
        """Take this worker off the lists. What it still holds starts again elsewhere."""
        if self._taken is not None:
            return  # what is listed under the name is another's
        try:
            async with self.app.store.pool.link() as link:
                for queue in self.queues:
                    await self.app.store.reclaim(link, queue, self.name, None)
            await self.app.store.roster.forget(self.name, self.info.token)
        except Unavailable as error:
            log.warning("cannot sign off (%s); others will, when the lease is over", error)
