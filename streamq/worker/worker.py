"""The worker: assembles the duties, starts them in order and stops them in the reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from streamq.duties.duty import Duty, tick
from streamq.duties.identity import checked_name, claim, describe, new_name
from streamq.duties.upkeep import upkeep
from streamq.duties.voucher import Voucher
from streamq.errors import ConfigurationError, NameTaken, OutcomeUnknown, Rejected, StreamqError
from streamq.logs import how_logged
from streamq.model.envelope import Delivery, Held
from streamq.program import Program
from streamq.redis.link import Link
from streamq.worker.fetcher import Fetcher, join_each
from streamq.worker.heartbeat import Heartbeat
from streamq.worker.runner import Runner
from streamq.worker.settler import Settler

log = logging.getLogger("streamq.worker")

CANCEL_GRACE = 2.0
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
        self, app: Program, *, queues: Sequence[str] = (), concurrency: int | None = None, duties: bool = True,
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
        self._has_fetched = False
        self._back: Counter[str] = Counter()
        """Jobs given back, by queue."""
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
        if not await self._unless_stopped(app.wait_ready()):
            return
        async with app.lifespan(app):
            self._assemble()
            try:
                if await self._unless_stopped(self._sign_on()):
                    gc.collect()
                    gc.freeze()  # what is loaded by now stays; looking through it again held jobs up for 15 to 50 ms
                    self._tell_who_it_is()
                    await self._work()
            finally:
                await self.heartbeat.stop()
                await self._leave()
                self.runner.close()
                self._tell_its_end()

    def _tell_who_it_is(self) -> None:
        servers = ", ".join(self.app.client.store.servers.names)
        log.info(
            "worker %s: %s, %d at once; server %s; log %s",
            self.name, ", ".join(self.queues), self.concurrency, servers, how_logged(),
        )  # fmt: skip

    def _tell_its_end(self) -> None:
        each = ", ".join(f"{count} on {queue}" for queue, count in sorted(self._back.items()) if count)
        back = (
            f"gave {sum(self._back.values())} jobs back, uncharged: {each}"
            if each
            else "no job was given back"
        )
        log.info("worker %s has ended; %s", self.name, back)

    async def _unless_stopped(self, beginning: Coroutine[Any, Any, object]) -> bool:
        """Do something that may wait long for the server; ``False`` when the worker was told to stop before its end."""
        doing = asyncio.create_task(beginning, name="worker begins")
        stopping = asyncio.create_task(self._stop.wait(), name="worker stops")
        try:
            await asyncio.wait([doing, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            doing.cancel()  # of no effect when it is done
            await asyncio.wait([doing, stopping])
        if doing.cancelled():
            return False
        doing.result()  # what it raised
        return True

    async def _sign_on(self) -> None:
        """Make what a worker needs on the server, and be known to the others. Raises ``Unavailable``."""
        store = self.app.client.store
        link = Link(store.servers, self.name)
        try:
            await join_each(store, link, self.queues)
            await self._announce()
        finally:
            await link.close()
        await store.read_clock()
        try:
            await claim(store, self.info)
        except NameTaken as error:
            self._taken = error
            raise
        await self.heartbeat.start()

    async def _announce(self) -> None:
        """Put the queues on the list of queues. Where that is refused we work without: the heartbeat tries again."""
        with contextlib.suppress(Rejected):
            for queue in self.queues:
                await self.app.client.store.announce(queue)

    def _assemble(self) -> None:
        app, store = self.app, self.app.client.store
        self.info = describe(self.name, self.queues, self.concurrency, app.settings)
        self.settler = Settler(store, self.name, self._progressed)
        self.runner = Runner(app, self.settler, store.clock, self.name, self.concurrency, self._progressed)
        self.heartbeat = Heartbeat(store, self.info, self.runner.overdue, app.notes, self._name_taken)
        self.fetcher = Fetcher(
            store, self.queues, self.name, self.runner.start, self._free, self._idle, self._holds,
            self.settler.is_blocked,
        )  # fmt: skip
        self._duties: list[Duty] = [Voucher(store, app.client.views, self._all_queues, own=self.name)]
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
            self._has_fetched = True
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
        await self._until_idle(CANCEL_GRACE)
        if left := self.runner.abandon():
            log.warning("%d handlers go on after being cancelled; their jobs are given back", len(left))
        await self._give_back([*self.runner.given_back, *left])
        self.settler.stop()
        _, late = await asyncio.wait([settling], timeout=FLUSH)
        if late:
            log.error("%d outcomes could not be written; their jobs will start again", self.settler.unwritten)
            settling.cancel()

    async def _drain(self) -> None:
        """Wait for what runs, at most for the grace, or until told to be quick."""
        quick = asyncio.create_task(self._now.wait())
        try:
            await self._until_idle(self._grace, quick)
        finally:
            quick.cancel()

    async def _until_idle(self, seconds: float, *others: asyncio.Task[Any]) -> None:
        """Wait until no handler runs, one of ``others`` ends, or the time is over."""
        idle = asyncio.create_task(self.runner.idle())
        try:
            await asyncio.wait([idle, *others], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()

    async def _give_back(self, deliveries: list[Delivery]) -> None:
        by_queue: dict[str, list[tuple[int, bytes]]] = {}
        for delivery in deliveries:
            by_queue.setdefault(delivery.queue, []).append((delivery.lane, delivery.entry))
        for queue, held in by_queue.items():
            try:
                async with self.app.client.store.pool.link() as link:
                    back = await self.app.client.store.release(link, queue, held)
            except StreamqError as error:
                log.warning("cannot give jobs on %s back now: %s", queue, error)
            else:
                self._back[queue] += back

    async def _leave(self) -> None:
        """Take this worker off the lists, and give back what the server still has under its name, uncharged."""
        if self._taken is not None:
            return  # what is listed under the name is another's
        self.runner.overdue.leave()
        try:
            async with asyncio.timeout(FLUSH):
                if self._has_fetched:
                    await self._twice(self.fetcher.give_back_unseen)
                for queue in self.queues:
                    await self._twice(partial(self._leave_queue, queue))
                await self._twice(partial(self.app.client.store.roster.forget, self.name, self.info.token))
        except (StreamqError, TimeoutError) as error:
            said = str(error) or "no answer"
            log.warning("cannot sign off (%s); others will, when the lease is over", said)

    async def _twice(self, act: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """A connection may have been lost without our knowledge: what was not answered is sent again once."""
        try:
            await act()
        except OutcomeUnknown:
            await act()
        except Rejected as error:  # one queue is refused; the others go on
            log.warning("cannot sign off: %s", error)

    async def _leave_queue(self, queue: str) -> None:
        """What is left: jobs in an answer that was lost, and those whose outcomes could not be written."""
        store = self.app.client.store
        async with store.pool.link() as link:
            if held := await store.pending(link, queue, self.name):
                back = await store.release(link, queue, held)
                self._back[queue] += back
            if commands := self.runner.overdue.commands_of(queue):
                await link.calls(*commands)
            await store.reclaim(link, queue, self.name, None)  # of an empty hand: its name goes
