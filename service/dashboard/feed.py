"""Live counts: one sampler for each process, fanned out to every browser that watches.

It asks the server only while somebody watches. Each browser has a bounded queue of events, encoded once for
all who may see the same; one that reads too slowly loses its queue and gets a fresh snapshot, and never slows the
sampler.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import orjson

from streamq import App, Unavailable
from streamq.times import rfc3339

from ..clock import now
from ..http import narrowed
from ..http.failures import outage
from ..http.narrowed import Queues

log = logging.getLogger("streamq.feed")

BACKLOG: Final = 8
"""Events a browser may be behind: a pause of some seconds; after that a snapshot is cheaper."""
SHARE: Final = 4
"""One caller may have one in this many of the places, so that it cannot keep all others out."""

Sample = dict[str, Any]


class Watcher:
    """One browser's bounded queue of events, of the ``queues`` that its key is for, or of all."""

    def __init__(self, queues: Queues | None = None) -> None:
        self.queues = queues
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue(BACKLOG)

    @property
    def waiting(self) -> int:
        """Events it has not read yet."""
        return self._events.qsize()

    def offer(self, event: bytes, snapshot: bytes) -> None:
        """Add an event; when the queue is full, replace all of it by the snapshot."""
        if self._events.full():
            self._clear()
            event = snapshot
        self._events.put_nowait(event)

    def close(self) -> None:
        """End the frames after what is queued."""
        if self._events.full():
            self._clear()
        self._events.put_nowait(None)

    async def frames(self, heartbeat: float) -> AsyncIterator[bytes]:
        """The events, and a comment after each ``heartbeat`` seconds without one."""
        while True:
            try:
                async with asyncio.timeout(heartbeat):
                    event = await self._events.get()
            except TimeoutError:
                event = b": still here\n\n"
            if event is None:
                return
            yield event

    def _clear(self) -> None:
        while not self._events.empty():
            self._events.get_nowait()


class Feed:
    """Samples every ``interval`` seconds for at most ``limit`` watchers."""

    def __init__(self, engine: App, *, interval: float = 1.0, limit: int = 200) -> None:
        self._engine, self._interval, self._limit = engine, interval, limit
        self._share = max(1, limit // SHARE)
        self._watchers: set[Watcher] = set()
        self._others: set[asyncio.Event] = set()
        self._of: Counter[bytes] = Counter()
        self._sampler: asyncio.Task[None] | None = None
        self._last: Sample | None = None
        self._number = 0
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether no more may watch."""
        return self._closed or len(self._watchers) + len(self._others) >= self._limit

    def has_its_share(self, caller: bytes) -> bool:
        """Whether a caller has as many watchers as one caller may."""
        return self._of[caller] >= self._share

    @contextmanager
    def watch(self, caller: bytes = b"", queues: Queues | None = None) -> Iterator[Watcher]:
        """Follow the counts, of some queues alone where they are named; the first event is a snapshot."""
        watcher = Watcher(queues)
        if self._last is not None:
            watcher.offer(_frame(self._number, "snapshot", self._last, queues), b"")
        self._watchers.add(watcher)
        self._of[caller] += 1
        if self._sampler is None:
            self._sampler = asyncio.create_task(self._run(), name="feed")
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._of[caller] -= 1
            if not self._watchers:
                self._stop()

    @contextmanager
    def place(self, caller: bytes = b"") -> Iterator[asyncio.Event]:
        """Have one of the places for another stream, which is to end when the event is set."""
        ends = asyncio.Event()
        self._others.add(ends)
        self._of[caller] += 1
        try:
            yield ends
        finally:
            self._others.discard(ends)
            self._of[caller] -= 1

    async def close(self) -> None:
        """End every stream."""
        self._closed = True
        for ends in self._others:
            ends.set()
        for watcher in self._watchers:
            watcher.close()
        self._stop()

    async def once(self) -> str:
        """Take one sample and send it to all; returns the name of the event."""
        name, event, sample = await self._next()
        self._last = sample
        self._number += 1
        frames: dict[Queues | None, tuple[bytes, bytes]] = {}
        for watcher in self._watchers:
            queues = watcher.queues
            if queues not in frames:
                frame = _frame(self._number, name, event, queues)
                fresh = frame if sample is None else _frame(self._number, "snapshot", sample, queues)
                frames[queues] = frame, fresh
            watcher.offer(*frames[queues])
        return name

    async def _next(self) -> tuple[str, Sample, Sample | None]:
        """The name and data of the next event, and the sample it leaves."""
        try:
            sample = await self._sample()
        except Unavailable as error:
            if self._last is not None:  # the first of them
                log.warning("live counts are not to be had: %s", error)
            return "unavailable", {"at": rfc3339(now()), "code": error.code, "detail": outage(error)}, None
        if self._last is None:
            return "snapshot", sample, sample
        return "change", _difference(self._last, sample), sample

    async def _sample(self) -> Sample:
        names = await self._engine.queues()
        counts = await asyncio.gather(*(self._engine.queue(name).counts() for name in names))
        told = (await self._engine.steering(names)).items()
        workers = await self._engine.workers()
        overdue = await self._engine.overdue(names)
        return {
            "at": rfc3339(now()),
            "queues": {name: count.asdict() for name, count in zip(names, counts, strict=True)},
            "paused": {name: said.paused.asdict() for name, said in told if said.paused},
            "overdue": overdue,
            "workers": [worker.described() for worker in workers],
        }

    async def _run(self) -> None:
        while True:
            try:
                await self.once()
            except Exception:
                log.exception("a sample of the live counts failed")
            await asyncio.sleep(self._interval)

    def _stop(self) -> None:
        if self._sampler is not None:
            self._sampler.cancel()
        self._sampler = self._last = None


def _difference(old: Sample, new: Sample) -> Sample:
    """What changed: counts by queue (None for one that is gone), and each of the others, whole, if it did."""
    before, after = old["queues"], new["queues"]
    queues = {name: counts for name, counts in after.items() if before.get(name) != counts}
    gone = dict.fromkeys(before.keys() - after.keys())
    others = {name: new[name] for name in ("paused", "overdue", "workers") if new[name] != old[name]}
    return {"at": new["at"], "queues": {**queues, **gone}, **others}


def _frame(number: int, name: str, data: Sample, queues: Queues | None = None) -> bytes:
    data = data if queues is None else narrowed.sample(data, queues)
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, name.encode(), orjson.dumps(data))
