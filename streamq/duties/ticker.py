"""Duty: schedules run. At each planned time a job is enqueued, by one script call.

The script compares the planned time with the one that is next, so however many schedulers call it, one of them gets
its job in. What is planned is known here beforehand: the chief of a queue's upkeep reads the schedules once, hears of
changes, sleeps until the next planned time and has the call for it ready. Its deputy looks from time to time whether
something is overdue: it finds something to do only when the chief is held up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from streamq.duties.alarm import Punctual
from streamq.errors import ConfigurationError, JobError, OutOfMemory, Rejected, StreamqError, UsageError
from streamq.model.clock import monotonic
from streamq.model.misfire import LATE, Due, decide
from streamq.model.pace import paced
from streamq.model.places import queue_of
from streamq.model.schedule import Plan
from streamq.model.schedule_record import ScheduleRecord
from streamq.program import Program
from streamq.redis.links import Links
from streamq.store.schedules import FULL, STALE, Tick, Ticked
from streamq.store.store import Store

log = logging.getLogger("streamq.ticker")

POLL: Final = 5.0
"""Seconds from one look at what is planned to the next at most: a signal may be lost."""
QUIET: Final = 60.0
"""The same where nothing is planned and signals are heard, as in most queues."""
REREAD: Final = 3
"""Times in a turn that a queue is read anew because others have changed what was to be run."""
BATCH: Final = 100
"""Calls of one round trip: some milliseconds of the server's time, in which the next are made ready."""
OVERDUE: Final = 0.25
"""Seconds past its planned time at which a deputy runs a schedule: no chief that works is so late."""
AGAIN: Final = 1.0
"""Seconds until a deputy looks again after it has done something, and anybody at one that found its queue full."""
SOON: Final = 0.1
"""The same where others change what is planned, or where its place changes: it is known in a moment."""
REFUSED: Final = (ConfigurationError, UsageError, JobError, OutOfMemory, Rejected)
"""What a server that answers may say to the schedules that an app declares."""
NEWS: Final = b"schedules"
"""The word of the signal that tells of a schedule that was made, changed, paused or removed."""


class Entry:
    """A schedule, with its next planned time and the one after it, in milliseconds since the epoch.

    ``kept`` is what it was read from.
    """

    __slots__ = ("at", "following", "kept", "plan", "record")

    def __init__(self, record: ScheduleRecord, kept: bytes, at: int) -> None:
        self.record, self.kept, self.plan = record, kept, Plan(record.schedule)
        self.at = at
        self.following = self._after(at)

    def _after(self, ms: int) -> int | None:
        found = self.plan.after(ms)
        return found.at if found else None

    def tick(self, now: int) -> Tick:
        """What is to be done now, when it is due."""
        schedule = self.record.schedule
        if self.following is not None and self.following <= now:
            due = decide(self.plan, self.at, now, schedule.misfire, schedule.misfire_limit)
            following = due.runs[1] if len(due.runs) > 1 else self._after(now)
        else:
            late = schedule.misfire == "skip" and now - self.at > LATE
            due, following = Due([], 1) if late else Due([self.at], 0), self.following
        planned = due.runs[0] if due.runs else None
        put_off = 0 if planned is None else planned + self.plan.put_off(planned)
        return Tick(
            schedule, self.record.version, self.at, following, planned, due.missed,
            put_off if put_off > now and put_off != planned else None,
        )  # fmt: skip

    def go_on(self, at: int) -> None:
        """That is its next planned time now."""
        self.at, self.following = at, self._after(at)


class Timetable:
    """The schedules of a queue in the order of their next planned times."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self._entries = entries
        self._order = [(entry.at, name) for name, entry in entries.items()]
        heapify(self._order)
        self.read_at = monotonic()
        self.is_stale = False

    @property
    def first(self) -> int | None:
        """The next planned time of all."""
        return self._order[0][0] if self._order else None

    def entry(self, name: bytes) -> Entry | None:
        """A schedule by its name."""
        return self._entries.get(name.decode("utf-8", "replace"))

    def planned(self) -> dict[str, int]:
        """The next planned time of each."""
        return {name: entry.at for name, entry in self._entries.items()}

    def due(self, now: int) -> Iterator[Entry]:
        """Those that are due, ``BATCH`` at most, taken out."""
        for _ in range(BATCH):
            if not self._order or self._order[0][0] > now:
                return
            yield self._entries[heappop(self._order)[1]]

    def put_off(self, entry: Entry, until: int) -> None:
        """One that was taken out could not run: it is looked at again then."""
        heappush(self._order, (until, entry.record.name))

    def ticked(self, ran: Sequence[tuple[Entry, Tick]]) -> None:
        """Those that were taken out have run: each is put back for what comes next."""
        for entry, tick in ran:
            if tick.following is None:
                del self._entries[entry.record.name]
            else:
                entry.go_on(tick.following)
                heappush(self._order, (entry.at, entry.record.name))


class Ticker(Punctual):
    """Runs the schedules of the queues that ``queues()`` names, and what is overdue in those of ``overdue()``."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, overdue: Callable[[], Sequence[str]] = tuple,
        links: Links | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            "ticker", store, lambda: [*queues(), *overdue()], longest=QUIET, act="run schedules of", links=links
        )  # fmt: skip
        self._own, self._overdue = queues, overdue
        self._tables: dict[str, Timetable] = {}
        self._heard: set[str] = set()
        self._refused: dict[tuple[str, str], int] = {}
        self._full: set[tuple[str, str]] = set()

    def _hear(self, queue: str, message: bytes | None) -> None:
        """A schedule has changed, or may have."""
        if message is None or message.startswith(NEWS):
            self._heard.add(queue)
            self._woken.set()

    async def once(self) -> int:
        """Run what is due. Returns how many planned times were seen to."""
        self._woken.clear()
        mine, now = dict.fromkeys(self._own()), monotonic()
        others = [queue for queue in self._overdue() if queue not in mine]
        self._listen((*mine, *others))
        heard, self._heard = self._heard, set()
        for queue in heard & self._tables.keys():
            self._tables[queue].is_stale = True
        for gone in self._tables.keys() - mine.keys():
            del self._tables[gone]
        everything = not self._rested
        self._rested = False
        self._at = {queue: self._at.get(queue, now) for queue in (*mine, *others)}
        due = {queue for queue, at in self._at.items() if everything or at <= now or queue in heard}
        busy = await self._with_plans([queue for queue in mine if queue in due])
        done = await self._troubles.each(busy, self._see_to, self._store.servers.of)
        return done + await self._help([queue for queue in others if queue in due])

    async def _with_plans(self, queues: Sequence[str]) -> list[str]:
        """Those in which something is planned. All that have had nothing are asked in one round trip."""
        known = {queue for queue in queues if (table := self._tables.get(queue)) and table.first is not None}
        first = await self._first_planned([queue for queue in queues if queue not in known])
        quiet = {queue for queue, at in first.items() if at is None}
        self._at.update({queue: monotonic() + self._quiet(queue) for queue in quiet})
        return [queue for queue in queues if queue in known or (queue in first and queue not in quiet)]

    async def _first_planned(self, queues: Sequence[str]) -> dict[str, float | None]:
        asked = self._troubles.rested(queues)
        if not asked:
            return {}
        replies = await self._store.schedules.first_planned(self._links, asked)
        return self._troubles.answers(dict(zip(asked, replies, strict=True)))

    def _quiet(self, queue: str) -> float:
        """Seconds until the next look at a queue in which nothing is planned."""
        hears = self._store.signals.of(queue).hears(self._store.keys(queue).signals)
        return paced(QUIET, len(self._at)) if hears else POLL

    # -- as chief -----------------------------------------------------------------------------------------------

    async def _see_to(self, queue: str) -> int:
        table, done, read = await self._table(queue), 0, 0
        while (ran := await self._run_due(queue, table)) or (table.is_stale and read < REREAD):
            done += len(ran)
            table.ticked(ran)
            if table.is_stale:
                table, read = await self._table(queue), read + 1
        wait = POLL if table.first is None else (table.first - self._store.clock.now()) / 1000
        self._at[queue] = monotonic() + (SOON if table.is_stale else min(wait, POLL))
        return done

    async def _run_due(self, queue: str, table: Timetable) -> list[tuple[Entry, Tick]]:
        """Run all that is due. What comes after each is reckoned only then: those that are due wait for it."""
        ran: list[tuple[Entry, Tick]] = []
        while entries := list(table.due(self._store.clock.now())):
            ran += await self._tick(queue, table, entries)
        return ran

    async def _tick(self, queue: str, table: Timetable, entries: list[Entry]) -> list[tuple[Entry, Tick]]:
        now = self._store.clock.now()
        try:
            ticks = [entry.tick(now) for entry in entries]
            replies = await self._store.schedules.tick(self._links, queue, ticks)
        except BaseException:
            table.is_stale = True  # they were taken out, and may have been done
            raise
        ran = []
        for entry, tick, reply in zip(entries, ticks, replies, strict=True):
            if isinstance(reply, StreamqError) or reply.said == STALE:
                table.is_stale = True
            elif reply.said == FULL:
                self._wait_for_room(queue, tick, reply.job)
                table.put_off(entry, self._store.clock.now() + round(AGAIN * 1000))
            else:
                self._full.discard((queue, tick.schedule.name))
                ran.append((entry, tick))
                _tell(tick, reply)
        for reply in replies:
            if isinstance(reply, StreamqError):
                raise reply
        return ran

    def _wait_for_room(self, queue: str, tick: Tick, told: str) -> None:
        """Its planned time comes again, and its misfire policy decides what becomes of it: as if nobody were there."""
        if (queue, tick.schedule.name) not in self._full:
            where = "".join(f"group {group} of " for group in told.split()[2:]) + f"queue {queue_of(queue)}"
            log.warning("schedule %s waits: as many jobs wait in %s as may", tick.schedule.name, where)
        self._full.add((queue, tick.schedule.name))

    async def _table(self, queue: str) -> Timetable:
        """What is planned in the queue: as it is known, or read anew where that may have changed."""
        table = self._tables.get(queue)
        if table is not None and not table.is_stale:
            if monotonic() - table.read_at < POLL:
                return table
            table.read_at = monotonic()
            if await self._store.schedules.planned(self._links, queue) == table.planned():
                return table
        table = self._tables[queue] = await self._read(queue, table)
        return table

    async def _read(self, queue: str, known: Timetable | None) -> Timetable:
        kept = await self._store.schedules.kept(self._links, queue)
        entries: dict[str, Entry] = {}
        for name, at in kept.ticks.items():
            entry = known.entry(name) if known else None
            if entry is None or entry.at != float(at) or entry.kept != kept.definitions.get(name):
                entry = self._entry(queue, name, kept.definitions.get(name), at)
            if entry is not None:
                entries[entry.record.name] = entry
        return Timetable(entries)

    def _entry(self, queue: str, name: bytes, kept: bytes | None, at: bytes) -> Entry | None:
        """A schedule that cannot be reckoned here, as for a missing extra, is left to another process."""
        record = self._store.schedules.read(queue, name, kept, at, None) if kept else None
        if record is None or kept is None:
            return None
        try:
            return Entry(record, kept, int(float(at)))
        except (ValueError, OverflowError, ConfigurationError) as error:  # the second for a time that is none
            if self._refused.get((queue, record.name)) != record.version:
                log.error(
                    "schedule %s of queue %s cannot run in this process: %s",
                    record.name,
                    queue_of(queue),
                    error,
                )
            self._refused[queue, record.name] = record.version
            return None

    # -- as deputy ----------------------------------------------------------------------------------------------

    async def _help(self, queues: Sequence[str]) -> int:
        """Run what nobody has run in its time."""
        first = await self._first_planned(queues)
        if any(first.values()) and not self._store.clock.now():
            await self._store.server.read_clock()
        now, done = self._store.clock.now(), 0
        for queue, at in first.items():
            wait = self._quiet(queue) if at is None else min(POLL, max(OVERDUE, OVERDUE + (at - now) / 1000))
            if at is not None and at + OVERDUE * 1000 <= now:
                done += await self._troubles.each([queue], self._see_to)
                self._tables.pop(queue, None)
                wait = AGAIN
            self._at[queue] = monotonic() + wait
        return done


def _tell(tick: Tick, reply: Ticked) -> None:
    log.debug("schedule %s: %s %s", tick.schedule.name, reply.said, reply.job)
    if tick.missed:
        log.warning(
            "schedule %s of queue %s missed planned times that get no run: %d",
            tick.schedule.name, queue_of(tick.schedule.queue), tick.missed,
        )  # fmt: skip


async def declare(app: Program) -> None:
    """Keep the schedules that the app declares, as a worker or a scheduler that runs it begins.

    Where the server does not take them, as when it is full, they run on as they were kept before. Raises
    ``Unavailable`` when it is lost meanwhile.
    """
    try:
        await app.schedules.declare()
    except REFUSED as error:
        log.error("the schedules that the app declares cannot be kept: %s", error)
