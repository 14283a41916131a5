"""The worker: assembles what runs jobs and the duties, starts them in order and stops them in the reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from streamq.duties.duty import tick
from streamq.duties.seats import Seats
from streamq.duties.ticker import declare
from streamq.duties.upkeep import Share, upkeep
from streamq.errors import ConfigurationError, NameTaken, Rejected
from streamq.liveness.identity import checked_name, claim, describe, new_name
from streamq.logs import how_logged
from streamq.model.places import queue_of
from streamq.model.shown import as_given
from streamq.model.weights import weights_of
from streamq.model.worker_info import WorkerInfo
from streamq.options import Option, wrong_queue
from streamq.program import Program
from streamq.published import published
from streamq.redis.links import Links
from streamq.redis.ready import begin_when_ready
from streamq.redis.thread_links import ThreadLinks
from streamq.settings import MOST_CONCURRENCY
from streamq.store.group import declared
from streamq.store.store import Store
from streamq.store.workers import Beats
from streamq.worker.asked import Asked
from streamq.worker.canceller import Canceller
from streamq.worker.capture import captured
from streamq.worker.fetcher import Fetcher, join_each
from streamq.worker.heartbeat import Heartbeat
from streamq.worker.load import load_of
from streamq.worker.reporter import Reporter
from streamq.worker.runner import Runner
from streamq.worker.served import Served
from streamq.worker.settler import Settler
from streamq.worker.shutdown import Shutdown
from streamq.worker.slots import Slots
from streamq.worker.tally import Tally
from streamq.worker.turns import Turns

log = logging.getLogger("streamq.worker")

_CONCURRENCY: Final = Option(
    "concurrency", "whole number", "How many jobs run at once.", low=1, high=MOST_CONCURRENCY
)


class Worker:
    """Runs the jobs of ``queues`` (default: those of all tasks), ``concurrency`` at once.

    While several queues have jobs they share the slots by their weights: ``"critical:3,mail"``, or a mapping of names
    to weights. With ``strict_queues``, the queues in their order, one gets nothing while one before it has jobs.
    ``duties=False`` leaves promoting, reclaiming, pruning and auditing to schedulers and other workers.
    Raises ``ConfigurationError`` when the app has no task and no queue is named, for a weight that is not 1 to 1,000,
    for a ``concurrency`` that is not 1 to 100,000, and for the name of a worker or a queue that is not 1 to 64 letters,
    digits, ``_``, ``.`` or ``-``.
    """

    def __init__(
        self, app: Program, *, queues: Sequence[str] | Mapping[str, int] | str = (), strict_queues: bool | None = None,
        concurrency: int | None = None, duties: bool = True, name: str | None = None,
    ) -> None:  # fmt: skip
        settings = app.settings
        known = {task.queue for task in app.tasks.values()}
        try:
            weights = weights_of(queues or settings.queues or sorted(known))
        except ValueError as error:
            raise ConfigurationError(f"queues: {error}") from None
        if wrong := next((problem for queue in weights if (problem := wrong_queue(queue))), ""):
            raise ConfigurationError(wrong)
        self.queues = tuple(weights)
        if not self.queues:
            raise ConfigurationError("the app has no task: declare one with @app.task, or name the queues")
        strict = settings.strict_queues if strict_queues is None else strict_queues
        if not isinstance(strict, bool):
            raise ConfigurationError(f"strict_queues={as_given(strict)} is not possible: use True or False")
        if strict and set(weights.values()) != {1}:
            raise ConfigurationError(
                "queues: in strict order a weight means nothing: leave one or the other out"
            )
        self._turns = Turns(weights, strict=self.queues if strict else ())
        self.app, self.name = app, checked_name(name) if name else new_name()
        self.concurrency = settings.concurrency if concurrency is None else _checked_concurrency(concurrency)
        self._share = Share.ALL if duties else Share.VOUCH
        self._has_fetched = False
        self._stop, self._at_once = asyncio.Event(), asyncio.Event()
        self.is_ready = asyncio.Event()
        """Set once it is known to the others, and about to fetch."""
        self._taken: NameTaken | None = None

    _served: Served
    info: WorkerInfo
    reporter: Reporter
    tally: Tally
    runner: Runner
    fetcher: Fetcher
    canceller: Canceller
    heartbeat: Heartbeat
    shutdown: Shutdown

    # -- signals --------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Shut down: fetch no more, let what runs finish within the grace. A second call: give it back now."""
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    # -- life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until ``stop`` or cancellation; both end in order.

        Raises ``Unavailable`` when no server is ready, and ``NameTaken`` when another living worker has the name.
        """
        app = self.app
        servers, timeout = app.client.store.servers, app.settings.ready_timeout
        if not await self._unless_stopped(app.wait_ready()):
            return
        async with app.lifespan(app):
            tell = partial(app.client.tell_partitions, self.queues)
            self._served = Served(app.client.store, self.queues, tell, self._serve)
            if not await self._unless_stopped(begin_when_ready(servers, timeout, self._served.find)):
                return
            self._assemble()
            try:
                if await self._unless_stopped(begin_when_ready(servers, timeout, self._sign_on)):
                    gc.collect()
                    gc.freeze()  # what is loaded by now stays; looking through it again held jobs up for 15 to 50 ms
                    self._tell_who_it_is()
                    self.is_ready.set()
                    with captured(app.tasks, self.reporter, self.name):
                        await self._work()
            finally:
                await self.heartbeat.stop()
                await self.tally.close()
                if self._taken is None:  # else what is listed under the name is another's
                    await self.shutdown.sign_off(has_fetched=self._has_fetched)
                self.runner.close()
                self.shutdown.tell()

    def _tell_who_it_is(self) -> None:
        servers = ", ".join(self.app.client.store.servers.names)
        log.info(
            "worker %s: %s, %d at once; server %s; log %s",
            self.name, ", ".join(self.queues), self.concurrency, servers, how_logged(),
        )  # fmt: skip

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
        """Make what a worker needs on the server, and be known to the others. Raises ``Unavailable``: begin again."""
        store = self.app.client.store
        links = store.links(self.name)
        try:
            await store.tasks.publish(links, self._published)
            await self._make_ready(links, self._served.names)
        finally:
            await links.close()
        await store.shared_limits.declare(self.app.client.shared_limits)
        await store.server.read_clock()
        await declare(self.app)
        try:
            await claim(store, self.info)
        except NameTaken as error:
            self._taken = error
            raise
        await self._announce()  # once they are seen to be served: an unused name is struck off the list
        await self.heartbeat.start()

    async def _make_ready(self, links: Links, names: Sequence[str]) -> None:
        """Make what these partitions need, and tell them what the app's code says."""
        store, tasks = self.app.client.store, self.app.tasks
        await join_each(store, links, names)
        await store.followers.publish(links, names, self._followers())
        await store.retention.declare(links, names, {name: task.kept for name, task in tasks.items()})
        limits = {name: task.limit for name, task in tasks.items()}
        for name in names:
            said = declared(limits, self.app.client.limits.get(queue_of(name), {}))
            await store.groups.declare(links, name, said)

    async def _serve(self, new: list[str]) -> None:
        """Partitions have come: serve them too."""
        links = self.app.client.store.links(self.name)
        try:
            await self._make_ready(links, new)
        finally:
            await links.close()
        names = [*self._served.names, *new]
        self.info = replace(self.info, queues=tuple(names))
        self.heartbeat.describe(self.info)
        self.shutdown.describe(self.info)
        self._served.names += [name for name in new if name not in self._served.names]
        self.fetcher.serve()
        self.canceller.listen()
        for duty in self._duties:
            duty.wake()
        with contextlib.suppress(Rejected):
            await self.app.client.store.queues.announce(*new)
        log.info("serves %s too", ", ".join(dict.fromkeys(map(queue_of, new))))

    def _say_again(self, store: Store, links: ThreadLinks) -> None:
        """What else the server may have lost, from the thread of the heartbeat."""
        store.followers.publish_again(links, self._served.names, self._followers())
        store.tasks.publish_again(links, self._published)

    def _followers(self) -> dict[str, str | None]:
        return {name: task.on_failed for name, task in self.app.tasks.items()}

    async def _announce(self) -> None:
        """Put the queues on the list of queues. Where that is refused we work without: the heartbeat tries again."""
        with contextlib.suppress(Rejected):
            await self.app.client.store.queues.announce(*self._served.names)

    def _assemble(self) -> None:
        app, store, name = self.app, self.app.client.store, self.name
        known = {each: task.version for each, task in app.tasks.items()}
        names = self._served.names
        self.info = describe(name, tuple(names), self.concurrency, app.settings, tuple(app.declared), known)
        self._published = published(app.tasks.values())
        self.slots = Slots(self.concurrency)
        self.slots.reporter = self.reporter = Reporter(store, name)
        self.tally = Tally(store, self.info.token, self.slots)
        self.settler = Settler(store, name, self.slots, self.tally if app.settings.statistics else None)
        self.runner = Runner(app, self.slots, self.settler, name)
        self.fetcher = Fetcher(store, names, name, self.slots, self.runner, self._turns)
        self.canceller = Canceller(store, names, self.slots, self.runner)
        self.asked = Asked(store, name, self.queues[0], self.slots, self.fetcher, self.stop)
        self.heartbeat = Heartbeat(
            store, self.info, self.runner.overdue, app.notes, self._name_taken, self._visited,
            partial(self._say_again, store), partial(load_of, self.slots), self.asked.do, self.slots.busy,
            renews_seats=self._share is Share.ALL,
        )  # fmt: skip
        self.asked.ring = self.heartbeat.ring
        self.shutdown = Shutdown(store, self.info, self.slots, self.fetcher, self.runner, self.settler)
        self._duties = upkeep(
            app, lambda: names, self._share, worker=name, on_suspects=self.fetcher.look_for_suspects,
            on_promotion=self.slots.tell_promoting,
        )  # fmt: skip
        self._seats = next((duty for duty in self._duties if isinstance(duty, Seats)), None)

    def _visited(self, beats: Beats) -> None:
        """What a beat has learned of some queues."""
        if beats.cancels:
            self.canceller.look(beats.cancels)
        self.fetcher.visited(beats)
        if self._seats is not None:
            self._seats.seen(beats.seats)

    def _name_taken(self, error: NameTaken) -> None:
        """Somebody claimed the name while ours was not on the list. What runs here goes back, and we stop."""
        log.critical("%s; stopping", error)
        self._taken = error
        self.stop()
        self.stop()

    async def _work(self) -> None:
        """Run jobs until told to stop, and then let those that run end."""
        async with asyncio.TaskGroup() as group:
            settling = group.create_task(self.settler.run(), name="settler")
            duties = [group.create_task(tick(duty), name=duty.name) for duty in (*self._duties, self._served)]
            cancelling = group.create_task(self.canceller.run(), name="canceller")
            reporting = group.create_task(self.reporter.run(), name="reporter")
            counting = group.create_task(self.tally.run(), name="statistics")
            fetching = group.create_task(self.fetcher.run(), name="fetcher")
            self._has_fetched = True
            self.asked.listen()
            cancelled: asyncio.CancelledError | None = None
            try:
                await self._stop.wait()
            except asyncio.CancelledError as error:  # in order all the same, and re-raised at the end
                cancelled = error
                self._stop.set()
            grace = self.app.settings.shutdown_grace
            await self.shutdown.end_attempts(fetching, settling, grace, self._at_once)
            self.asked.close()
            for each in (*duties, cancelling, counting, reporting):
                each.cancel()
            await asyncio.wait([reporting])
            await self.reporter.close()
            if cancelled is not None:
                raise cancelled
        if self._taken is not None:
            raise self._taken


def _checked_concurrency(concurrency: int) -> int:
    if problem := _CONCURRENCY.wrong(concurrency):
        raise ConfigurationError(problem)
    return concurrency
