"""The slots of one worker: what runs here, and what of it the server does not know yet."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

from streamq.model.envelope import Place
from streamq.store.outcomes import Settlement
from streamq.worker.attempt import Attempt
from streamq.worker.reporter import Reporter
from streamq.worker.slowest import Slowest

TICK: Final = 1.0
"""Seconds after which a wait for a change ends in any case: what has become due meanwhile is not forgotten."""

READ_WHOLE: Final = 10
"""Jobs of a read from which on it is remembered: to settle fewer as a whole is no cheaper."""
REMEMBERED: Final = 16
"""Reads that are remembered: the outcomes of more are seldom on their way at once."""

Outcomes = dict[str, list[Settlement]]
"""Outcomes by queue."""


class Slots:
    """``count`` slots. The runner says what runs, the settler what is written; the fetcher asks how many are free."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.running: set[Attempt] = set()
        """Attempts whose handlers have not returned."""
        self.waiting: Outcomes = {}
        """Outcomes that are to be written."""
        self.writing: Outcomes = {}
        """Those on their way."""
        self.aside: Outcomes = {}
        """Those that the server has refused; they are tried again."""
        self.blocked: set[str] = set()
        """Queues of which the server took no outcome the last time: nothing more is fetched from them meanwhile."""
        self.reads: dict[Place, list[bytes]] = {}
        """The last large reads, as ``store.outcomes`` takes them."""
        self.held: dict[tuple[str, str], float] = {}
        """Tasks that are paused in a queue, and when that ends in ms since the epoch."""
        self.reporter: Reporter | None = None
        """Who writes what the handlers report."""
        self.slowest = Slowest()
        """What has run longest of late."""
        self.quiet = False
        """Whether an operator has asked for no new jobs here."""
        self.promoting = False
        """Whether this process makes delayed jobs wait at this moment: their starts come before all else."""
        self._changed, self._stopped = asyncio.Event(), asyncio.Event()
        self.has_changed = False
        """Whether ``changed`` was called since the last wait: who calls it once a job asks this first."""
        self._timer: asyncio.TimerHandle | None = None

    # -- what is here ---------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Free slots; fewer while outcomes pile up, so that a slow server slows the fetching down.

        The outcomes of blocked queues do not count: they hold up nobody else.
        """
        backlog = sum([len(of) for queue, of in self.waiting.items() if queue not in self.blocked])
        return self.count - len(self.running) - max(0, backlog - self.count)

    @property
    def idle(self) -> bool:
        """Whether nothing runs here."""
        return not self.running

    def places(self) -> set[Place]:
        """The entries that were delivered to this worker and whose outcome is not known to be written."""
        return {attempt.delivery.place for attempt in self.running} | self.unwritten()

    def busy(self) -> set[str]:
        """The queues of what is here. Also for the thread of the heartbeat: each is copied in one step."""
        running = {attempt.delivery.queue for attempt in tuple(self.running)}
        return running.union(tuple(self.writing), tuple(self.waiting), tuple(self.aside))

    def unwritten(self) -> set[Place]:
        """The entries of the outcomes that are not known to be written."""
        return {
            (queue, outcome.lane, outcome.entry)
            for outcomes in (self.writing, self.waiting, self.aside)
            for queue, of in outcomes.items()
            for outcome in of
        }

    def arrived(self, queue: str, lane: int, entries: list[Any]) -> None:
        """One read of a queue's lane has brought these."""
        if len(entries) >= READ_WHOLE:
            self.reads[queue, lane, entries[0][0]] = [raw[0] for raw in entries]
            if len(self.reads) > REMEMBERED:
                del self.reads[next(iter(self.reads))]

    def unsettled(self) -> list[Attempt]:
        """Those that run without an outcome; handlers past their time limit have one."""
        return [attempt for attempt in self.running if not attempt.settled]

    # -- waiting for a change -------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether no more jobs are wanted."""
        return self._stopped.is_set()

    def open(self) -> None:
        """Begin to tick. One timer for all waits: a time limit around each would cost more than the wait."""
        self.changed()
        self._timer = asyncio.get_running_loop().call_later(TICK, self.open)

    def close(self) -> None:
        """End the ticking."""
        if self._timer is not None:
            self._timer.cancel()

    def tell_promoting(self, promoting: bool) -> None:  # it is the news itself
        """The promoter of this process begins, or is done."""
        self.promoting = promoting

    def stop(self) -> None:
        """No more jobs are wanted: every wait ends."""
        self._stopped.set()
        self.changed()

    def changed(self) -> None:
        """A slot or a queue has come free: end the wait for that."""
        self.has_changed = True
        self._changed.set()

    async def change(self) -> None:
        """Wait for a change since the last call, at most for a tick. Only for one waiter at a time."""
        await self._changed.wait()
        self._changed.clear()
        self.has_changed = False

    async def all_settled(self) -> None:
        """Return when every attempt has its outcome. Only once the fetching has ended."""
        while self.unsettled():
            await self.change()

    async def pause(self, seconds: float) -> None:
        """Wait for so long, or until told to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
