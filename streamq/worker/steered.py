"""What was told to a worker's queues: which are paused, which tasks in them, and which lanes they have.

A signal says that something has changed. It may be lost, so each beat of the worker is answered whether there is
anything to look at: a queue to which nothing was told costs no command.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

from streamq.model.clock import to_ms
from streamq.model.pace import is_many
from streamq.model.places import SEPARATOR
from streamq.model.steering import UNSTEERED, Pause, Steering
from streamq.redis.links import Links
from streamq.redis.troubles import Troubles
from streamq.store.store import Store
from streamq.store.workers import Beats
from streamq.worker.slots import Slots

log = logging.getLogger("streamq.fetcher")


class Steered:
    """What is known of the ``queues``; ``on_news`` is called when that is to be looked at anew."""

    def __init__(
        self, store: Store, queues: Sequence[str], slots: Slots, on_news: Callable[[], object]
    ) -> None:
        self._store, self._queues, self._slots, self._on_news = store, queues, slots, on_news
        self._told: dict[str, Steering] = {}
        """Of the queues to which something was told, or that have more lanes than all have."""
        self._stale = set(queues)
        self._empty: set[str] = set()
        """Queues in which nothing lay at the last beat there."""
        self._listening: dict[str, Callable[[], None]] = {}
        self._trouble = Troubles("read the steering of", log)

    def listen(self) -> None:
        """Hear of changes from now on."""
        channels = {queue: self._store.keys(queue).signals for queue in self._queues}
        self._store.signals.listen_only(self._listening, channels, self._hear)

    def close(self) -> None:
        """Hear of nothing any more."""
        self._store.signals.listen_only(self._listening, {}, self._hear)

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is None or message.startswith(b"steer"):
            self._stale.add(queue)
            self._on_news()

    def serve(self) -> None:
        """There are more queues: nothing is known of them."""
        self._stale.update(self._queues)
        self.listen()

    def suspect(self, queue: str) -> None:
        """What is known of the queue may not be so any more."""
        self._stale.add(queue)

    def visited(self, beats: Beats) -> None:
        """To some queues something was told, says a beat, and to no others where it was: of that too the signal may be
        lost. In some something lies."""
        self._stale.update(beats.steered, self._told.keys() & beats.counts.keys())
        self._empty.update(beats.counts)
        self._empty.difference_update(beats.lying)

    def occupied(self, queues: Sequence[str]) -> list[str]:
        """Of many queues those in which something may lie: each by what the last beat there says."""
        if not is_many(len(self._queues)):
            return list(queues)
        return [queue for queue in queues if queue not in self._empty or len(self.lanes(queue)) > 1]

    @property
    def due(self) -> bool:
        """Whether it is time to look."""
        return bool(self._stale)

    async def look(self, links: Links) -> None:
        """Learn what has changed. Of a queue that cannot be asked, what is known stays."""
        stale = tuple(self._stale)
        self._stale.clear()
        try:
            replies = await self._store.steering.told_each(links, stale)
        except BaseException:
            self._stale.update(stale)
            raise
        said = self._trouble.answers(replies)
        for queue, told in said.items():
            before = self._told.pop(queue, UNSTEERED)
            if told != UNSTEERED:
                self._told[queue] = told
            if told.paused != before.paused and SEPARATOR not in queue:  # the others are told the same
                _tell(queue, told.paused)
        self._slots.held = {
            (queue, task): _end(pause)
            for queue, told in self._told.items()
            for task, pause in told.tasks.items()
        }

    def lanes(self, queue: str) -> tuple[int, ...]:
        """The lanes from which the queue's jobs are delivered."""
        return self._told.get(queue, UNSTEERED).lanes

    def is_limited(self, queue: str) -> bool:
        """Whether all of its jobs wait for the gate, those without a group too."""
        told = self._told.get(queue)
        return told is not None and told.limited

    @property
    def many_lanes(self) -> bool:
        """Whether any queue has more lanes than one."""
        return any(len(told.lanes) > 1 for told in self._told.values())

    def is_paused(self, queue: str) -> bool:
        """Whether no job of the queue is to start now."""
        if self._slots.quiet:  # to this worker alone, as if each queue were
            return True
        told = self._told.get(queue)
        return told is not None and told.paused is not None and self._store.clock.now() < _end(told.paused)

    def pause_ends_in(self) -> float:
        """Seconds until a pause of a queue ends by itself."""
        now = self._store.clock.now()
        ends = [_end(told.paused) for told in self._told.values() if told.paused]
        return min((end - now for end in ends if end > now), default=math.inf) / 1000


def _end(pause: Pause) -> float:
    """When it ends, in ms since the epoch."""
    return math.inf if pause.until is None else to_ms(pause.until)


def _tell(queue: str, pause: Pause | None) -> None:
    if pause is None:
        log.info("%s is resumed", queue)
    else:
        log.info("%s is paused%s", queue, f": {pause.reason}" if pause.reason else "")
