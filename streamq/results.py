"""Waiting for jobs to finish: one reader of a queue's events per process, however many wait."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from streamq.connection import Link
from streamq.errors import JobFailed, Rejected, ResultTimeout, Unavailable
from streamq.job import JobRecord
from streamq.states import FINAL, State
from streamq.store import Store
from streamq.views import Views

BLOCK_MS: Final = 1_000
RECONNECT: Final = 0.2
RECHECK: Final = 5.0
"""Seconds after which a waiter looks for itself: an event may be lost, the record is the truth."""


class Results:
    """The waiters of one queue."""

    def __init__(self, store: Store, views: Views, queue: str) -> None:
        self._store, self._views, self._queue = store, views, queue
        self._link = Link(store.servers, "streamq-events")
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    async def wait(self, job_id: str, timeout: float | None) -> JobRecord:
        """The record of a job once it is finished.

        Raises ``JobFailed`` when it ended in any other way than completed, ``ResultTimeout``, ``JobNotFound``.
        """
        news = asyncio.Event()
        self._waiters.setdefault(job_id, set()).add(news)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name=f"events {self._queue}")
        try:
            async with asyncio.timeout(timeout):
                return _result(await self._finished(job_id, news))
        except TimeoutError:
            raise ResultTimeout(job_id, timeout or 0) from None
        finally:
            self._waiters[job_id].discard(news)
            if not self._waiters[job_id]:
                del self._waiters[job_id]

    async def _finished(self, job_id: str, news: asyncio.Event) -> JobRecord:
        await self._listening.wait()  # listen first, then look: nothing can fall between
        while True:
            try:
                job = await self._views.job(self._queue, job_id)
            except Rejected:
                raise
            except Unavailable:  # the job does not end with a connection, so neither does the wait
                await asyncio.sleep(RECONNECT)
                continue
            if job.state in FINAL:
                return job
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECHECK):
                    await news.wait()
            news.clear()

    async def _read(self) -> None:
        events, last = self._store.keys(self._queue).events, b""
        try:
            while self._waiters:
                try:
                    last = last or await self._latest(events)
                    self._listening.set()
                    reply = await self._link.call(
                        "XREAD", "BLOCK", BLOCK_MS, "STREAMS", events, last, timeout=BLOCK_MS / 1000 + 5
                    )
                except Unavailable:
                    await asyncio.sleep(RECONNECT)
                    continue
                for entry, fields in reply[0][1] if reply else ():
                    last = entry
                    for ended in (fields[1] + b" " + fields[3]).decode().split():
                        for news in self._waiters.get(ended, ()):
                            news.set()
        finally:
            self._reader = None
            self._listening.clear()
            await self._link.close()

    async def _latest(self, events: str) -> bytes:
        newest = await self._link.call("XREVRANGE", events, "+", "-", "COUNT", 1)
        return newest[0][0] if newest else b"0-0"

    async def close(self) -> None:
        """Stop reading; who still waits goes on looking for itself."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])


def _result(job: JobRecord) -> JobRecord:
    if job.state is not State.COMPLETED:
        error = job.error or {}
        raise JobFailed(job.id, job.state.value, str(error.get("type", "")), str(error.get("message", "")))
    return job
