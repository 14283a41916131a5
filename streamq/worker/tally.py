"""The tally: what the outcomes that the server has taken came to, sent once a second for the statistics.

A job pays for it with a count in its batch. How long jobs waited and ran is read of a bounded number of each batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from streamq.errors import Unavailable
from streamq.model.clock import monotonic
from streamq.model.outcomes import MARKS
from streamq.model.slowest import SPAN
from streamq.model.statistics import COUNTED, LAST, NUMBER_KEPT, OTHERS, TASKS, Sums, bucket_of, told_apart
from streamq.model.worker_info import WorkerInfo
from streamq.redis.troubles import Troubles
from streamq.store.outcomes import Settlement
from streamq.store.store import Store
from streamq.worker.slots import Slots

log = logging.getLogger("streamq.statistics")

EVERY: Final = 1.0
"""Seconds between two calls: a killed process takes so much of the statistics with it."""
AT_ONCE: Final = 8
"""Tasks of a queue that one call adds to: with 200 buckets each it takes some milliseconds of the server's time."""
PARTING: Final = 2.0
"""Seconds that a worker which ends takes for its last call: counts are not worth a longer stop."""
WHILE_RUNNING: Final = 10
"""Such intervals after which a call is made while jobs run and none ends: how many others wait is to be seen."""
READ: Final = 4
"""Outcomes of one batch of which the times are read, about. A busy worker still reads hundreds in a second, and each
costs as much as half a job."""
REPEATED: Final = NUMBER_KEPT / 2
"""Seconds after which what was not answered is given up: the server is about to forget whether it has counted it."""

_WAITED: Final = tuple(f"w{bucket}" for bucket in range(LAST + 1))
_RAN: Final = tuple(f"r{bucket}" for bucket in range(LAST + 1))

Sent = tuple[int, dict[str, Sums]]
"""The number of a call, and what it adds by task."""


class Tally:
    """Counts outcomes in the queues of one worker, until it is closed."""

    def __init__(self, store: Store, info: WorkerInfo, slots: Slots) -> None:
        self._store, self._worker, self._slots = store, info.token, slots
        self._counted: dict[str, dict[str, Sums]] = {}
        self._sent: dict[str, Sent] = {}
        """By queue what was sent and is not known to be counted: it is sent again under its number."""
        self._since: dict[str, float] = {}
        """Since when that is so."""
        self._number = 0
        self._troubles = Troubles("write the statistics of", log)

    # -- counting -------------------------------------------------------------------------------------------

    def add(self, queue: str, outcomes: Sequence[Settlement]) -> None:
        """Count outcomes that the server has taken. Once a batch, so it may cost what one job does."""
        if not outcomes:
            return
        tasks = self._counted.setdefault(queue, {})
        for (task, kind), count in _counts(outcomes).items():
            if kind in COUNTED:
                self._of(tasks, task)[COUNTED[kind]] += count
        step = -(-len(outcomes) // READ) or 1
        stands_for = len(outcomes) % step or step  # so that all together stand for as many as there are
        for outcome in outcomes[::step]:
            if outcome.kind in MARKS:
                sums = tasks.get(outcome.task) or self._of(tasks, outcome.task)
                waited, ran = times_of(outcome)
                sums[_WAITED[bucket_of(waited)]] += stands_for
                sums[_RAN[bucket_of(ran)]] += stands_for
            stands_for = step

    @staticmethod
    def _of(tasks: dict[str, Sums], task: str) -> Sums:
        name = told_apart(task)
        if name not in tasks and len(tasks) > TASKS:
            name = OTHERS
        return tasks.setdefault(name, Counter())

    # -- sending --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what was counted, once a second, until cancelled."""
        quiet = 0
        while self._store.settings.statistics:
            await asyncio.sleep(EVERY)
            await self._tell_slowest()
            quiet += 1
            if self._counted or self._sent or (quiet >= WHILE_RUNNING and not self._slots.idle):
                quiet = 0
                await self._send()

    async def close(self) -> None:
        """Send what is left: what was not answered, and then the rest. What is not answered now is lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await self._tell_slowest()
                for _ in range(2 + TASKS // AT_ONCE):
                    if self._counted or self._sent:
                        await self._send()

    def _part_of(self, queue: str) -> dict[str, Sums]:
        """What one call takes of a queue: the tasks that have waited longest for it. The others are next."""
        counted = self._counted.pop(queue, {})
        names = list(counted)
        if len(names) > AT_ONCE:
            self._counted[queue] = {name: counted[name] for name in names[AT_ONCE:]}
        return {name: counted[name] for name in names[:AT_ONCE]}

    def _give_up(self) -> None:
        """Once the server has forgotten a number, its call would be counted a second time."""
        for queue in [queue for queue in self._sent if monotonic() - self._since[queue] > REPEATED]:
            log.warning("some statistics of %s are lost: the server has not answered for long", queue)
            del self._sent[queue]

    async def _send(self) -> None:
        """Each queue's sums under a number. What was sent before and is not answered goes first, as it was."""
        self._give_up()
        running = {attempt.delivery.queue for attempt in self._slots.running}
        for queue in self._troubles.rested({*self._counted, *running}):
            if queue not in self._sent:
                self._number += 1
                self._sent[queue], self._since[queue] = (self._number, self._part_of(queue)), monotonic()
        due = {queue: self._sent[queue] for queue in self._troubles.rested(list(self._sent))}
        try:
            async with self._store.pool.links() as links:
                said = await self._store.statistics.add(links, self._worker, due)
        except Unavailable as error:
            log.debug("statistics wait: %s", error)
            return
        except Exception:  # whatever it is: jobs do not depend on what is counted of them
            log.exception("statistics of %s are lost", ", ".join(due))
            for queue in due:
                del self._sent[queue]
            return
        for queue in self._troubles.answers(said):
            del self._sent[queue]

    async def _tell_slowest(self) -> None:
        """Those that were noted since; they are told again where that is not known to be kept."""
        slowest, now = self._slots.slowest, self._store.clock.now()
        slowest.turn(now)
        if not (ran := slowest.take()):
            return
        told: dict[str, dict[bytes, int]] = {}
        for each in ran:
            told.setdefault(each.queue, {})[each.said] = each.took
        try:
            async with self._store.pool.links() as links:
                said = await self._store.slow.add(links, told, now // SPAN)
        except Unavailable as error:
            log.debug("the slowest jobs wait: %s", error)
            slowest.tell_again(ran)
            return
        except Exception:  # jobs do not depend on it
            log.exception("the slowest jobs of %s are not told", ", ".join(told))
            return
        self._troubles.answers(said)


def _counts(outcomes: Sequence[Settlement]) -> Mapping[tuple[str, str], int]:
    """How many there are of each task and kind."""
    many, task, kind = len(outcomes), outcomes[0].task, outcomes[0].kind
    if [s[0] for s in outcomes].count(kind) == many and [s[7] for s in outcomes].count(task) == many:
        return {(task, kind): many}  # as mostly, and a quarter of the price
    return Counter([(s.task, s.kind) for s in outcomes])


def times_of(outcome: Settlement) -> tuple[int, int]:
    """For how many ms the job of a record has waited for its last attempt, and for how many that has run."""
    try:
        age, ran, _ = outcome.body[1:40].split(b" ", 2)
        took = int(ran)
        ended = int(outcome.job_id.partition("-")[0]) + int(age)
        return max(0, ended - took - int(outcome.entry.partition(b"-")[0])), took
    except ValueError:  # another program's id
        return 0, 0
