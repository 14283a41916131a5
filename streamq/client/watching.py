"""Watching jobs: what they tell while they run, and their end, for however many watch, on the signals of their queue.

Who watches listens first and looks then, as those who wait for results do. A signal brings a progress and lines of a
log; whatever else is to be seen is looked for, all watched jobs of a queue at once: their states every second, and all
of it after a reconnection. One task per queue looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from typing import Final

from streamq.errors import JobNotFound, NotOpen, Rejected, Unavailable
from streamq.model.clock import monotonic
from streamq.model.events import Event, StateChange
from streamq.model.job_record import JobRecord
from streamq.model.reports import Log, LogLine, numbered, progress
from streamq.model.states import State
from streamq.redis.signals import ended, reported
from streamq.store.reports import Look
from streamq.store.store import Store

log = logging.getLogger("streamq.watching")

LOOK: Final = 1.0
"""Seconds between two looks at the states of all watched jobs: nothing signals the begin of a job."""
AGAIN: Final = 0.2
"""Seconds before a look is repeated that met no server."""
BEHIND: Final = 1_000
"""Events that a watcher may be behind: what comes after that it looks for itself, once it goes on."""
CLOSED: Final = "the app was closed while a job was watched; the job goes on"

ENDED: Final = "ended"
"""The state of a job that has a final one, as a look tells it."""


@dataclass(eq=False, slots=True)
class _Watcher:
    """One caller of ``watch()``: what it has not read yet, and what it has been told."""

    job_id: str
    events: deque[Event] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    state: str = ""
    progress: bytes = b""
    line: int = 0
    """The number of the last line it was told."""
    due: int = 0
    """How many lines the job had written at the last look: what of these has not come by the next is looked for."""
    end: JobRecord | BaseException | None = None
    is_behind: bool = False

    def put(self, event: Event) -> None:
        self.events.append(event)
        self.news.set()

    def take_state(self, state: str) -> None:
        if state not in (self.state, ENDED, ""):
            self.state = state
            self.put(StateChange(State(state)))

    def take_progress(self, raw: bytes) -> None:
        if raw and raw != self.progress and (said := progress(raw)):
            self.progress = raw
            self.put(said)

    def take_lines(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if line.number > self.line:
                self.line = line.number
                self.put(line)

    def finish(self, end: JobRecord | BaseException) -> None:
        self.end = self.end or end
        self.news.set()  # also when it is known: who was behind has all that came before it now


class Watching:
    """The watchers of one queue."""

    def __init__(self, store: Store, queue: str) -> None:
        self._store, self._queue = store, queue
        self._channels, keys = store.signals.of(queue), store.keys(queue)
        self._names = {keys.reported: self._heard_report, keys.ended: self._heard_end}
        self._watchers: dict[str, set[_Watcher]] = {}
        self._wanted = asyncio.Event()
        self._unseen: set[str] = set()
        self._all_at = 0.0
        self._records: dict[str, bytes] = {}
        """Of watched jobs that have ended, as signalled: they may be kept nowhere."""
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def events(self, job_id: str, after: int = 0) -> AsyncGenerator[Event]:
        """What a job tells from now on, begun with how it is; ends with the end of the job.

        Lines up to the number ``after`` are known. Raises ``JobNotFound``, ``Rejected``, and ``NotOpen`` when the app
        is closed meanwhile.
        """
        watcher = self._join(job_id, after)
        try:
            while True:
                while watcher.events:
                    yield watcher.events.popleft()
                if watcher.is_behind:
                    watcher.is_behind = False
                    self._ask((job_id,))
                elif isinstance(watcher.end, JobRecord):
                    yield watcher.end
                    return
                elif watcher.end is not None:
                    raise watcher.end
                watcher.news.clear()
                await watcher.news.wait()
        finally:
            self._leave(watcher)

    def _join(self, job_id: str, after: int) -> _Watcher:
        if self._closed:
            raise NotOpen(CLOSED)
        watcher = _Watcher(job_id, line=after)
        self._watchers.setdefault(job_id, set()).add(watcher)
        self._ask((job_id,))
        if self._task is None:
            self._task = asyncio.create_task(self._serve(), name=f"watching {self._queue}")
        return watcher

    def _leave(self, watcher: _Watcher) -> None:
        watchers = self._watchers[watcher.job_id]
        watchers.discard(watcher)
        if not watchers:
            del self._watchers[watcher.job_id]
            self._records.pop(watcher.job_id, None)
        self._wanted.set()

    # -- hearing --------------------------------------------------------------------------------------------

    def _heard_report(self, message: bytes | None) -> None:
        if message is None:
            self._ask(self._watchers)
            return
        try:
            for job_id, raw, first, lines in reported(message):
                if job_id in self._watchers:
                    self._tell(job_id, raw, first, lines)
        except ValueError as error:
            log.warning("a signal of reports of %s is not ours: %s", self._queue, error)

    def _tell(self, job_id: str, raw: bytes, first: int, lines: bytes) -> None:
        read = list(numbered(first, lines))
        for watcher in self._watchers[job_id]:
            if len(watcher.events) > BEHIND:
                watcher.is_behind = True
            elif first > watcher.line + 1:  # lines before them were missed
                self._ask((job_id,))
            if not watcher.is_behind:
                watcher.take_state(State.ACTIVE.value)
                watcher.take_progress(raw)
                if first <= watcher.line + 1:  # those that are known already are passed over
                    watcher.take_lines(read)

    def _heard_end(self, message: bytes | None) -> None:
        if message is None:
            self._ask(self._watchers)
            return
        with contextlib.suppress(ValueError):  # those who wait for results say so
            for job_id, record in ended(message):
                if job_id in self._watchers:
                    if record is not None:
                        self._records[job_id] = record
                    self._ask((job_id,))

    # -- looking --------------------------------------------------------------------------------------------

    def _ask(self, ids: Iterable[str]) -> None:
        self._unseen.update(ids)
        self._wanted.set()

    async def _serve(self) -> None:
        stops = [self._channels.listen(name, heard) for name, heard in self._names.items()]
        try:
            while self._watchers:
                try:
                    await self._turn()
                except Unavailable:  # the job does not end with a connection, so neither does the watching
                    await asyncio.sleep(AGAIN)
        finally:
            for stop in stops:
                stop()
            self._task = None
            for watchers in self._watchers.values():  # nobody looks for them any more
                for watcher in watchers:
                    watcher.finish(NotOpen(CLOSED))

    async def _turn(self) -> None:
        """Look for those of whom a look was asked, and for all when that is due."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._all_at - monotonic())):
                await self._wanted.wait()
        self._wanted.clear()
        if self._channels.undecided(next(iter(self._names))):
            self._all_at = monotonic() + LOOK
            return  # all are asked for as soon as it is decided
        asked, self._unseen = self._unseen & self._watchers.keys(), set()
        ids = list(asked)
        if monotonic() >= self._all_at:
            self._all_at = monotonic() + LOOK
            ids = list(self._watchers)
        try:
            await self._look(ids, asked)
        except Exception as error:  # whatever it is: those who watch these jobs learn of it
            if isinstance(error, Unavailable) and not isinstance(error, Rejected):
                self._ask(ids)
                raise
            for job_id in ids:
                self._finish(job_id, error)

    async def _look(self, ids: list[str], asked: set[str]) -> None:
        if not ids:
            return
        looks = await self._store.reports.look(self._queue, ids)
        over = [job_id for job_id in ids if job_id not in looks or looks[job_id].state in (ENDED, "")]
        records = await self._store.jobs.found(self._queue, over)
        for job_id in ids:
            if job_id in looks:
                await self._show(job_id, looks[job_id], at_once=job_id in asked or job_id in over)
        for job_id in over:
            self._end(job_id, records.get(job_id))

    async def _show(self, job_id: str, look: Look, *, at_once: bool) -> None:
        """Tell the watchers of a job what was seen of it; its lines ``at_once``, or where no signal brings them."""
        watchers = [each for each in self._watchers.get(job_id, ()) if len(each.events) <= BEHIND]
        lines = Log()
        missing = [each.line for each in watchers if each.line < (look.written if at_once else each.due)]
        if missing:
            lines = await self._store.reports.log(self._queue, job_id, min(missing))
        for watcher in watchers:
            watcher.due = look.written
            watcher.take_state(look.state)
            watcher.take_progress(look.progress)
            watcher.take_lines(lines.lines)

    def _end(self, job_id: str, record: JobRecord | None) -> None:
        if record is None:
            raw = self._records.get(job_id)
            self._finish(
                job_id,
                self._store.jobs.finished(self._queue, job_id, raw)
                if raw
                else JobNotFound(self._queue, job_id),
            )
        elif record.finished_at is not None:  # else it was requeued between the two looks
            self._finish(job_id, record)

    def _finish(self, job_id: str, end: JobRecord | BaseException) -> None:
        for watcher in list(self._watchers.get(job_id, ())):
            watcher.finish(end)

    async def close(self) -> None:
        """End the watching: who still watches gets ``NotOpen``."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
