"""Tailing: what the jobs of many queues tell as it happens, heard on the signals of their queues and kept nowhere.

Nothing is looked for. What is told while a connection is lost is missed, and so is what comes faster than it is read:
both are said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator
from functools import partial
from typing import Final, NamedTuple

from streamq.errors import NotOpen, Unavailable, UsageError, meant
from streamq.model.events import ENDS, TAILED, Event, Hearing, Missed, Told
from streamq.model.job_reader import from_record
from streamq.model.job_record import JobRecord
from streamq.model.outcomes import MARKS
from streamq.model.places import queue_of, shown_id
from streamq.model.reports import numbered, progress
from streamq.model.shown import as_given
from streamq.redis.signals import ended, reported
from streamq.store.store import Store

log = logging.getLogger("streamq.tailing")

BEHIND: Final = 1_000
"""Events that the reader may be behind; what comes after that is counted, and not kept."""
NEW_QUEUES: Final = 1.0
"""Seconds between two looks for queues that are new."""


class _Raw(NamedTuple):
    """What was heard and is not read yet: reading it takes longer than hearing it."""

    queue: str
    job_id: str
    record: bytes | None
    progress: bytes = b""
    first: int = 0
    lines: bytes = b""
    is_end: bool = True


class Tail:
    """What one reader is told. ``names`` says which queues there are, again and again."""

    def __init__(
        self,
        store: Store,
        names: Callable[[], Awaitable[Collection[str]]],
        kinds: Collection[str],
        states: Collection[str],
    ) -> None:
        _check("kinds", kinds, TAILED)
        _check("states", states, ENDS)
        self._store, self._names, self._kinds = store, names, frozenset(kinds)
        self._marks = {MARKS[state] for state in states}
        self._heard: deque[_Raw | Told] = deque()
        self._news = asyncio.Event()
        self._missed, self._closed = 0, False
        self._listening: dict[str, dict[str, Callable[[], None]]] = {"ended": {}, "reported": {}}
        self._hears: dict[str, bool] = {}

    async def events(self) -> AsyncGenerator[Told]:
        """Until the reader leaves. Raises ``Unavailable`` where the queues cannot be listed at the beginning, and
        ``NotOpen`` when the app is closed meanwhile."""
        self._listen(await self._names())
        following = asyncio.create_task(self._follow(), name="tailing")
        try:
            while True:
                while self._heard:
                    for told in await self._read(self._heard.popleft()):
                        yield told
                if self._missed:
                    count, self._missed = self._missed, 0
                    yield Told("", "", Missed(count))
                if self._closed:
                    raise NotOpen("the app was closed while its queues were tailed")
                self._news.clear()
                await self._news.wait()
        finally:
            following.cancel()
            self._listen(())
            await asyncio.wait([following])

    # -- hearing --------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Queues come and go."""
        while True:
            await asyncio.sleep(NEW_QUEUES)
            try:
                self._listen(await self._names())
            except NotOpen:
                self._closed = True
                self._news.set()
                return
            except Unavailable:
                continue  # the listeners say that nothing is heard
            except Exception:
                log.exception("queues that are new are not seen; the others are heard")

    def _listen(self, queues: Collection[str]) -> None:
        if "end" in self._kinds:
            names = {queue: self._store.keys(queue).ended for queue in queues}
            self._store.signals.listen_only(self._listening["ended"], names, partial(self._take, self._ends))
        if self._kinds - {"end"}:
            names = {queue: self._store.keys(queue).reported for queue in queues}
            self._store.signals.listen_only(
                self._listening["reported"], names, partial(self._take, self._reports)
            )
        for queue in self._hears.keys() - set(queues):
            del self._hears[queue]

    def _take(self, read: Callable[[str, bytes], Iterator[_Raw]], queue: str, message: bytes | None) -> None:
        if message is None:
            self._say_whether_heard(queue)
            return
        try:
            for raw in read(queue, message):
                self._put(raw)
        except ValueError as error:
            log.warning("a signal of %s is not ours: %s", queue, error)

    def _say_whether_heard(self, queue: str) -> None:
        keys, channels = self._store.keys(queue), self._store.signals.of(queue)
        named = {"ended": keys.ended, "reported": keys.reported}
        before = self._is_heard(queue)
        self._hears[queue] = all(
            channels.hears(named[name]) for name, of in self._listening.items() if queue in of
        )
        if (hears := self._is_heard(queue)) is not before:
            self._put(Told(queue_of(queue), "", Hearing(hears)))

    def _is_heard(self, queue: str) -> bool:
        """Whether the queue is heard, with all its partitions that are listened to."""
        of = {
            each for names in self._listening.values() for each in names if queue_of(each) == queue_of(queue)
        }
        return all(self._hears.get(each, False) for each in of or (queue,))

    def _ends(self, queue: str, message: bytes) -> Iterator[_Raw]:
        for job_id, record in ended(message):
            if record is None or record[:1] in self._marks:
                yield _Raw(queue, job_id, record)

    def _reports(self, queue: str, message: bytes) -> Iterator[_Raw]:
        for job_id, said, first, lines in reported(message):
            yield _Raw(queue, job_id, None, said, first, lines, is_end=False)

    def _put(self, heard: _Raw | Told) -> None:
        if len(self._heard) < BEHIND or isinstance(heard, Told):
            self._heard.append(heard)
        else:
            self._missed += 1
        self._news.set()

    # -- reading --------------------------------------------------------------------------------------------

    async def _read(self, heard: _Raw | Told) -> list[Told]:
        if isinstance(heard, Told):
            return [heard]
        if heard.is_end:
            return [await self._end(heard)]
        found: list[Event] = []
        if "progress" in self._kinds and (said := progress(heard.progress)):
            found.append(said)
        if "line" in self._kinds:
            found.extend(numbered(heard.first, heard.lines))
        job_id = shown_id(heard.queue, heard.job_id)
        return [Told(queue_of(heard.queue), job_id, each) for each in found]

    async def _end(self, heard: _Raw) -> Told:
        if heard.record is not None:
            return _ended(from_record(heard.queue, heard.job_id, heard.record))
        with contextlib.suppress(Unavailable):  # it is missed then, as one that is forgotten by now
            found = (await self._store.jobs.found(heard.queue, [heard.job_id])).get(heard.job_id)
            if found is not None:
                return _ended(found)
        return Told(queue_of(heard.queue), "", Missed(1))


def _ended(job: JobRecord) -> Told:
    return Told(job.queue, job.id, job)


def _check(what: str, given: Collection[str], known: Collection[str]) -> None:
    """Raise ``UsageError`` for what is none of these, and for nothing at all."""
    if isinstance(given, str) or not given:
        raise UsageError(f"{what}={as_given(given)}: give a list of {', '.join(known)}")
    for each in given:
        if each not in known:
            hint = meant(str(each), known, f"use {', '.join(known)}")
            raise UsageError(f"{what} has {as_given(each)}: {hint}")
