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

from streamq.errors import StreamqError, Unavailable
from streamq.model.clock import monotonic
from streamq.model.group import tenant_of
from streamq.model.outcomes import MARKS
from streamq.model.places import queue_of
from streamq.model.slowest import SPAN
from streamq.model.statistics import (
    COUNTED,
    GROUPS,
    LAST,
    NUMBER_KEPT,
    OTHERS,
    TASKS,
    Sums,
    bucket_of,
    ended_in,
    told_apart,
)
from streamq.redis.links import Links
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
GROUPS_EVERY: Final = 10
"""Seconds between two calls of what groups came to."""
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
    """Counts outcomes in the queues of one worker, until it is closed.

    ``has_groups`` is set once any of them has a group: until then nobody looks for one.
    """

    most, at_once, has_groups = TASKS, AT_ONCE, False

    def __init__(self, store: Store, worker: str, slots: Slots) -> None:
        self._store, self._worker, self._slots = store, worker, slots
        self._groups: GroupTally | None = None
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
        if self.has_groups:
            self._add_groups(queue, [outcome for outcome in outcomes if outcome.group])
        tasks = self._counted.setdefault(queue, {})
        for (task, kind), count in self._counts(outcomes).items():
            if kind in COUNTED:
                self._of(tasks, task)[COUNTED[kind]] += count
        step = -(-len(outcomes) // READ) or 1
        stands_for = len(outcomes) % step or step  # so that all together stand for as many as there are
        for outcome in outcomes[::step]:
            if outcome.kind in MARKS:
                name = self._name_of(outcome)
                sums = tasks.get(name) or self._of(tasks, name)
                waited, ran = times_of(outcome)
                sums[_WAITED[bucket_of(waited)]] += stands_for
                sums[_RAN[bucket_of(ran)]] += stands_for
            stands_for = step

    def _add_groups(self, queue: str, outcomes: Sequence[Settlement]) -> None:
        """The same, by tenant."""
        if self._groups is None:
            self._groups = GroupTally(self._store, self._worker, self._slots)
        self._groups.add(queue, outcomes)

    def _counts(self, outcomes: Sequence[Settlement]) -> Mapping[tuple[str, str], int]:
        """How many there are of each task and kind."""
        many, task, kind = len(outcomes), outcomes[0].task, outcomes[0].kind
        if [s[0] for s in outcomes].count(kind) == many and [s[7] for s in outcomes].count(task) == many:
            return {(task, kind): many}  # as mostly, and a quarter of the price
        return Counter([(s.task, s.kind) for s in outcomes])

    def _name_of(self, outcome: Settlement) -> str:
        """What it is counted for."""
        return outcome.task

    def _of(self, tasks: dict[str, Sums], task: str) -> Sums:
        name = told_apart(task)
        if name not in tasks and len(tasks) > self.most:
            name = OTHERS
        return tasks.setdefault(name, Counter())

    # -- sending --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send what was counted, once a second, until cancelled."""
        quiet = beat = 0
        while self._store.settings.statistics:
            await asyncio.sleep(EVERY)
            await self._tell_slowest()
            beat += 1
            if self._groups is not None and beat % GROUPS_EVERY == 0:
                await self._groups.send()
            quiet += 1
            if self._counted or self._sent or (quiet >= WHILE_RUNNING and not self._slots.idle):
                quiet = 0
                await self._send()

    async def close(self) -> None:
        """Send what is left: what was not answered, and then the rest. What is not answered now is lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await self._tell_slowest()
                if self._groups is not None:
                    await self._groups.send()
                await self.send()

    async def send(self) -> None:
        """All that was counted, in some calls."""
        for _ in range(2 + self.most // self.at_once):
            if self._counted or self._sent:
                await self._send()

    def _part_of(self, queue: str) -> dict[str, Sums]:
        """What one call takes of a queue: the tasks that have waited longest for it. The others are next."""
        counted = self._counted.pop(queue, {})
        names = list(counted)
        if len(names) > self.at_once:
            self._counted[queue] = {name: counted[name] for name in names[self.at_once :]}
        return {name: counted[name] for name in names[: self.at_once]}

    def _give_up(self) -> None:
        """Once the server has forgotten a number, its call would be counted a second time."""
        late = [queue for queue in self._sent if monotonic() - self._since[queue] > REPEATED]
        for queue in dict.fromkeys(map(queue_of, late)):
            log.warning("some statistics of %s are lost: the server has not answered for long", queue)
        for queue in late:
            del self._sent[queue]

    async def _send(self) -> None:
        """Each queue's sums under a number. What was sent before and is not answered goes first, as it was."""
        self._give_up()
        for queue in self._troubles.rested({*self._counted, *self._running()}):
            if queue not in self._sent:
                self._number += 1
                self._sent[queue], self._since[queue] = (self._number, self._part_of(queue)), monotonic()
        due = {queue: self._sent[queue] for queue in self._troubles.rested(list(self._sent))}
        try:
            async with self._store.pool.links() as links:
                said = await self._write(links, due)
        except Unavailable as error:
            log.debug("statistics wait: %s", error)
            return
        except Exception:  # whatever it is: jobs do not depend on what is counted of them
            log.exception("statistics of %s are lost", ", ".join(dict.fromkeys(map(queue_of, due))))
            for queue in due:
                del self._sent[queue]
            return
        for queue in self._troubles.answers(said):
            del self._sent[queue]

    def _running(self) -> set[str]:
        """Queues of which it is told how many jobs wait, also while none ends."""
        return {attempt.delivery.queue for attempt in self._slots.running}

    async def _write(self, links: Links, due: Mapping[str, Sent]) -> dict[str, int | StreamqError]:
        return await self._store.statistics.add(links, self._worker, due)

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
            log.exception(
                "the slowest jobs of %s are not told", ", ".join(dict.fromkeys(map(queue_of, told)))
            )
            return
        self._troubles.answers(said)


class GroupTally(Tally):
    """The same by tenant, sent more seldom: there may be many."""

    most, at_once = GROUPS, 25

    def _counts(self, outcomes: Sequence[Settlement]) -> Mapping[tuple[str, str], int]:
        counts: Counter[tuple[str, str]] = Counter()
        for (group, kind), count in Counter([(each.group, each.kind) for each in outcomes]).items():
            counts[tenant_of(group), kind] += count
        return counts

    def _name_of(self, outcome: Settlement) -> str:
        return tenant_of(outcome.group)

    def _part_of(self, queue: str) -> dict[str, Sums]:
        """The busiest first: where there are more than are told apart, those that come first are."""
        if counted := self._counted.get(queue):
            busiest = sorted(counted, key=lambda name: ended_in(counted[name]), reverse=True)
            self._counted[queue] = {name: counted[name] for name in busiest}
        return super()._part_of(queue)

    def _running(self) -> set[str]:
        return set()

    async def _write(self, links: Links, due: Mapping[str, Sent]) -> dict[str, int | StreamqError]:
        return await self._store.statistics.add_of_groups(links, self._worker, due)


def times_of(outcome: Settlement) -> tuple[int, int]:
    """For how many ms the job of a record has waited for its last attempt, and for how many that has run."""
    try:
        age, ran, _ = outcome.body[1:40].split(b" ", 2)
        took = int(ran)
        ended = int(outcome.job_id.partition("-")[0]) + int(age)
        return max(0, ended - took - int(outcome.entry.partition(b"-")[0])), took
    except ValueError:  # another program's id
        return 0, 0
