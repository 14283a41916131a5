"""The heartbeat: a small thread with its own connection, so that a handler that blocks the loop keeps its jobs.

It beats every ``settings.beat`` seconds, notices at once when the server closes its connection, and watches the
event loop too: a blocked loop is reported with its stack, and after ``settings.stuck`` seconds the process ends
itself, as a hung worker would keep its jobs for ever.

When the server has lost the worker's entry (FLUSHALL, a restart without its file) or another process beats under the
name, it registers again at once; when another worker has the name by then, ``on_taken`` is called.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from streamq.errors import NameTaken, Rejected, StreamqError, Unavailable
from streamq.exits import Exit
from streamq.liveness.identity import taken
from streamq.model.clock import monotonic
from streamq.model.pace import VISIT
from streamq.model.worker_info import WorkerInfo
from streamq.model.worker_load import WorkerLoad
from streamq.notes import Notes
from streamq.redis.thread_links import ThreadLinks
from streamq.redis.troubles import Troubles
from streamq.store.store import Store
from streamq.store.workers import Beats
from streamq.worker.overdue import OverdueHandlers
from streamq.worker.visits import Visits

log = logging.getLogger("streamq.heartbeat")

WATCH: Final = 0.25
"""Seconds between two checks of the connection and the loop: a lost connection is opened again within
``liveness.recovery.GRACE``."""
PULSE: Final = 1.0
"""Seconds between two signs of life of the loop: rare enough to cost nothing, and five of them in ``BLOCKED``."""
BLOCKED: Final = 5.0
"""Seconds the loop stands still before it is reported: no call that is meant to be short takes so long."""
INTRODUCED: Final = 6
"""Beats between two registrations (half a minute by default): the list may have been deleted by hand."""
SEAT_LASTS: Final = 3 * VISIT
"""Seconds for which a visit renews the worker's seat in the upkeep of a queue: two may fail."""
LISTS: Final = ("the list of workers", "the list of queues")
"""Where it registers, in the order of the replies."""


class Heartbeat:
    """The beat of one worker. ``start`` returns after the first one.

    ``on_visit`` is called in the loop after each visit to queues, with what the server said there. ``on_introduced`` is
    called in the thread, whenever it has registered again: what else the worker wrote may be lost, too. Each beat tells
    the ``load``, which is asked for the lag of the loop and the last round trip, and ``on_asked`` is called in the loop
    with what operators ask. ``busy`` names the queues in which the worker has work, from the thread.
    """

    def __init__(
        self,
        store: Store,
        info: WorkerInfo,
        overdue: OverdueHandlers,
        notes: Notes,
        on_taken: Callable[[NameTaken], None] = lambda _: None,
        on_visit: Callable[[Beats], None] = lambda _: None,
        on_introduced: Callable[[ThreadLinks], None] = lambda _: None,
        load: Callable[[float, float], WorkerLoad] | None = None,
        on_asked: Callable[[str], None] = lambda _: None,
        busy: Callable[[], Collection[str]] = tuple,
        renews_seats: bool = False,
    ) -> None:
        self._load, self._on_asked, self._rung, self._late, self._took = load, on_asked, False, 0.0, 0.0
        self._on_visit, self._busy, self._renews_seats = on_visit, busy, renews_seats
        self._visits = Visits(info.queues, busy)
        self._is_told_at_home = False
        """Whether others could see by the list of all workers that this one lives: else it beats in each queue."""
        self._store, self._info, self._on_taken = store, info, on_taken
        self._on_introduced = on_introduced
        self._overdue, self._notes, self._told = overdue, notes, (0, 0)
        self._counts: dict[str, int] = {}
        self._troubles, self._lists = Troubles("beat for", log), Troubles("write to", log)
        self._links = store.thread_links(info.name)
        self._loop = asyncio.get_running_loop()
        self._first: asyncio.Future[None] = self._loop.create_future()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="streamq heartbeat", daemon=True)
        self._loop_thread = threading.get_ident()
        self._pulse = self._looked = monotonic()
        self._seen_pulse = self._blocked = 0.0
        self._reported = False
        self._pulse_timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin, and return when the first beat is written. Raises ``Rejected`` when it is refused."""
        self._keep_pulse()
        self._thread.start()
        await self._first

    async def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._links.wake()
        if self._thread.ident is not None:  # it was started
            await asyncio.to_thread(self._thread.join)
        if self._pulse_timer is not None:
            self._pulse_timer.cancel()

    def describe(self, info: WorkerInfo) -> None:
        """The worker has another description from the next beat on, as it serves more."""
        self._info, self._visits = info, Visits(info.queues, self._busy)
        self._is_told_at_home = False  # so it beats everywhere

    def _seat_lasts(self) -> float | None:
        """How long the seats last that it renews with its beats, where these queues are too many for the duty."""
        return SEAT_LASTS if self._renews_seats and self._visits.are_many else None

    def ring(self) -> None:
        """Beat at once, within ``WATCH`` seconds."""
        self._rung = True

    def _keep_pulse(self) -> None:
        before, self._pulse = self._pulse, monotonic()
        self._late = max(self._late, self._pulse - before - PULSE)
        self._pulse_timer = self._loop.call_later(PULSE, self._keep_pulse)

    def _begun(self) -> None:
        if not self._first.done():
            self._first.set_result(None)

    def _refused(self, error: Rejected) -> None:
        if not self._first.done():
            self._first.set_exception(error)

    # -- in the thread --------------------------------------------------------------------------------------

    def _run(self) -> None:
        due, beats = 0.0, 0
        while not self._stop.is_set():
            try:
                met = self._links.connect()
                if met or monotonic() >= due or self._rung or self._to_tell() != self._told:
                    self._rung = False
                    self._beat(everywhere=met, introduce=met or beats % INTRODUCED == 0)
                    due, beats = monotonic() + self._store.settings.beat, beats + 1
                elif queues := self._visits.in_turn():
                    self._visit(queues)
                self._links.idle(WATCH)
            except Unavailable as error:
                log.debug("heartbeat: %s", error)
                if isinstance(error, Rejected):
                    self._loop.call_soon_threadsafe(self._refused, error)
                self._stop.wait(WATCH)
            except Exception:  # whatever it is: without a beat all jobs would be taken away
                log.exception("heartbeat failed; retrying")
                self._stop.wait(1.0)
            self._watch_loop()
        self._links.close()

    def _beat(self, *, everywhere: bool, introduce: bool) -> None:
        whole = everywhere or not self._is_told_at_home
        self._is_told_at_home = False
        is_strange = self._visit(self._visits.all() if whole else self._visits.of_beat(), self._load_now())
        to_tell = self._to_tell()
        if introduce or is_strange or to_tell != self._told:
            self._introduce()
        self._store.delayed.move_due_times(self._links, *self._overdue.due_times())
        self._overdue.sent()
        self._told = to_tell
        if not self._first.done():
            self._loop.call_soon_threadsafe(self._begun)

    def _visit(self, queues: Sequence[str], load: WorkerLoad | None = None) -> bool:
        """Beat in these queues, and tell what this worker does. Returns whether any count is another than it should be:
        the list was deleted, we were declared lost, or another process beats under our name."""
        began = monotonic()
        beats = self._store.workers.beat(
            self._links, self._info.name, queues, seat_lasts=self._seat_lasts(), load=load
        )
        self._took = monotonic() - began
        self._loop.call_soon_threadsafe(self._on_visit, beats)
        if beats.asked is not None:
            self._is_told_at_home = True
            self._loop.call_soon_threadsafe(self._on_asked, beats.asked)
        counts = self._troubles.answers(beats.counts)
        if beats.counts and not counts:
            raise next(error for error in beats.counts.values() if isinstance(error, StreamqError))
        is_strange = any(self._counts.get(queue, -1) + 1 != count for queue, count in counts.items())
        self._counts |= counts
        return is_strange

    def _load_now(self) -> WorkerLoad | None:
        """What this worker does."""
        if self._load is None:
            return None
        late, self._late = max(self._late, monotonic() - self._pulse - PULSE, 0.0), 0.0
        return self._load(late, self._took)

    def _to_tell(self) -> tuple[int, int]:
        """Changes whenever the description of this worker does."""
        return self._overdue.version, self._notes.version

    def _introduce(self) -> None:
        said = replace(
            self._info, client_id=self._links.home.client_id,
            clients=None if self._store.servers.is_one else self._links.clients, overdue=self._overdue.listed,
            notes=self._notes.listed,
        )  # fmt: skip
        replies = self._store.workers.introduce_again(self._links, said)
        self._lists.answers(
            dict(zip(LISTS, replies, strict=True))
        )  # an error here is only logged: the beats alone show that we live
        another = replies[0]
        if isinstance(another, bytes):
            self._loop.call_soon_threadsafe(self._on_taken, taken(self._info.name, another))
        self._on_introduced(self._links)

    def _watch_loop(self) -> None:
        """Add up for how long the loop is blocked. A check that comes late counts as one interval only: then this
        thread itself could not run (the host slept, the process was stopped)."""
        now = monotonic()
        elapsed, self._looked = min(now - self._looked, 2 * WATCH), now
        if self._pulse != self._seen_pulse:
            self._seen_pulse, self._blocked, self._reported = self._pulse, -PULSE, False
            return
        self._blocked += elapsed
        if self._blocked > self._store.settings.stuck:
            log.critical(
                "the event loop stands still for %.0f s: ending the process\n%s", self._blocked, self._stack()
            )
            os._exit(Exit.STUCK)
        if self._blocked > BLOCKED and not self._reported:
            self._reported = True
            log.warning("a handler blocks the event loop for %.0f s, in\n%s", self._blocked, self._stack())

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  # documented; the only way
        return "".join(traceback.format_stack(frame)[-6:]) if frame else "(unknown)"
