"""The reporter: what handlers tell of their jobs is collected, and written some times a second, many jobs at once.

Of a job's progress only the last counts; lines of its log are kept up to a bound, the oldest dropped. So a handler may
report as often as it likes: it costs the server no more than one that reports twenty times a second.

Reports are no outcome: what the server refuses is dropped, and while it is away they wait here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections import deque
from typing import Final

from streamq.errors import StreamqError
from streamq.model.places import queue_of
from streamq.model.reports import KEPT, stored
from streamq.redis.troubles import Troubles
from streamq.store.outcomes import Settlement
from streamq.store.reports import Report
from streamq.store.store import Store
from streamq.worker.attempt import Attempt
from streamq.worker.masking import hider, masked_json

log = logging.getLogger("streamq.reporter")

EVERY: Final = 0.05
"""Seconds between two writes: those who watch hear of a report within a tenth of a second, and twenty a second cost
the server next to nothing."""
AGAIN: Final = (0.5, 5.0)
"""Seconds until a write is repeated that met no server: at first, and at most."""
LAST: Final = 2.0
"""Seconds that the last write may take: the outcomes are written, and nobody waits for reports alone."""


class _Told:
    """What one job has told and was not written yet."""

    __slots__ = ("dropped", "lines", "progress", "size", "until")

    def __init__(self) -> None:
        self.progress = b""
        self.until = 0
        self.dropped = self.size = 0
        self.lines: deque[bytes] = deque()

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        self.size += len(line) + 1
        while self.size > KEPT:
            self.size -= len(self.lines.popleft()) + 1
            self.dropped += 1


class Reporter:
    """Collects the reports of a worker's attempts, from any thread, and writes them until told to stop."""

    def __init__(self, store: Store, worker: str) -> None:
        self._store, self._links = store, store.links(worker)
        self._name = secrets.token_hex(8)
        """No worker of that name has had it before: a write is known by it, and by its number."""
        self._loop = asyncio.get_running_loop()
        self._lock, self._writing = threading.Lock(), asyncio.Lock()
        self._told: dict[str, dict[str, _Told]] = {}
        self._unanswered: dict[str, list[Report]] = {}
        self._number = 0
        self._work = asyncio.Event()
        self._troubles = Troubles("write reports of", log, AGAIN)

    # -- telling, from any thread ---------------------------------------------------------------------------

    def report(self, attempt: Attempt, text: bytes, *, is_line: bool) -> None:
        """Take a progress, or a line of the log. What an attempt tells after its end does not count."""
        if attempt.settled:
            return
        if hide := hider(attempt):
            text = masked_json(text, hide)
        raw = stored(self._store.clock.now(), attempt.number, text)
        with self._lock:
            begins = not self._told
            told = self._of(attempt)
            if is_line:
                told.add(raw)
            else:
                told.progress = raw
        if begins:
            with contextlib.suppress(RuntimeError):  # the loop is closed: a thread has outlived its worker
                self._loop.call_soon_threadsafe(self._work.set)

    def keep_result(self, attempt: Attempt) -> None:
        """Its result has a time of its own, which begins with its end: that is written with its reports."""
        with self._lock:
            self._of(attempt).until = self._store.clock.now() + int(attempt.keep_result * 1000)
        self._work.set()

    def _of(self, attempt: Attempt) -> _Told:
        delivery = attempt.delivery
        of_queue = self._told.setdefault(delivery.queue, {})
        told = of_queue.get(delivery.job_id)
        if told is None:
            told = of_queue[delivery.job_id] = _Told()
        return told

    # -- writing --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Write what was told, some times a second at most, until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            await self.write()
            away = self._troubles.until_next() if self._unanswered else 0.0
            await asyncio.sleep(max(EVERY, away))
            if self._told or self._unanswered:
                self._work.set()

    async def write_before(self, outcomes: dict[str, list[Settlement]]) -> None:
        """Write what was told, if anything by one of the jobs that end now: it is there when they have."""
        ends = {queue: {settlement.job_id for settlement in of} for queue, of in outcomes.items()}
        with self._lock:
            tell = any(not ids.isdisjoint(self._told.get(queue, ())) for queue, ids in ends.items())
        if tell or any(
            report.job_id in ends.get(queue, ()) for queue, of in self._unanswered.items() for report in of
        ):
            await self.write()

    async def write(self) -> None:
        """Write what was told so far. Never raises for the server's sake: what it refuses is dropped."""
        async with self._writing:
            if self._unanswered and not await self._send():
                return
            self._unanswered = self._taken()
            if self._unanswered:
                self._number += 1
                await self._send()

    async def _send(self) -> bool:
        """Write what has no answer yet; whether it has one now."""
        mark, refused = f"{self._name}.{self._number}", dict[str, StreamqError]()
        try:
            refused = await self._store.reports.write(self._links, mark, self._unanswered)
        except StreamqError as error:  # no server can be reached: the same again later
            self._troubles.met(dict.fromkeys(self._unanswered, error))
            return False
        except Exception:  # whatever it is: the worker goes on
            log.exception(
                "the reports of %s are lost", ", ".join(dict.fromkeys(map(queue_of, self._unanswered)))
            )
        self._troubles.answers({queue: refused.get(queue) for queue in self._unanswered})
        self._unanswered = {}
        return True

    async def close(self) -> None:
        """Write what is left, if the server takes it soon."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST):
                    await self.write()
        finally:
            await self._links.close()

    def _taken(self) -> dict[str, list[Report]]:
        with self._lock:
            told, self._told = self._told, {}
        return {
            queue: [
                Report(job_id, each.progress, each.until, each.dropped, each.lines)
                for job_id, each in of.items()
            ]
            for queue, of in told.items()
        }

    @property
    def has_news(self) -> bool:
        """Whether anything was told that is not known to be written."""
        return bool(self._told or self._unanswered)
