"""Waiting for jobs to finish, however many wait, on the signals of their queue.

Who waits listens first and looks then, so that nothing falls between; after that the signal brings the record, and a
look is taken again only when the signal had no room for it, after a reconnection, and every few seconds, as signals
may be lost. One task per queue looks, for many waiters at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from streamq.errors import JobCancelled, JobFailed, JobNotFound, NotOpen, Rejected, ResultTimeout, Unavailable
from streamq.model.clock import monotonic
from streamq.model.job_record import Failure, JobRecord
from streamq.model.outcomes import COMPLETED, MARKS
from streamq.model.states import State
from streamq.redis.signals import ended
from streamq.store.store import Store

log = logging.getLogger("streamq.results")

RECHECK: Final = 5.0
"""Seconds after which all waiters look: a signal may be lost, the record is the truth."""
DEAF: Final = 1.0
"""The same where no signal is heard."""
AGAIN: Final = 0.2
"""Seconds before a look is repeated that met no server."""
FIRST_LOOK: Final = 1.0
"""Seconds that the first look may take, however short the caller's time: a finished job has its result."""
LINGER: Final = 5.0
"""Seconds a queue is listened to after the last waiter: many come one after the other."""
UNAWAITED: Final = 0.25
"""The same after many jobs were sent and nobody waits: who wants their results asks for them at once."""
REMEMBERED: Final = 16_000_000
"""Bytes of records that were heard before their waiter came."""
CLOSED: Final = "the app was closed while a result was waited for; the job goes on"


class _Waiter:
    """One caller of ``result()``; ``ended`` is resolved with what it gets."""

    __slots__ = ("ended", "job_id", "looked", "over", "timeout")

    def __init__(self, job_id: str, timeout: float | None) -> None:
        self.job_id, self.timeout = job_id, timeout
        self.looked = self.over = False
        self.ended: asyncio.Future[JobRecord] = asyncio.get_running_loop().create_future()

    def end(self, outcome: JobRecord | BaseException) -> None:
        if self.ended.done():
            return
        if isinstance(outcome, BaseException):
            self.ended.set_exception(outcome)
        else:
            self.ended.set_result(outcome)

    def time_over(self) -> None:
        """Its time is over; a first look that is under way is waited for."""
        self.over = True
        if self.looked:
            self.give_up()

    def give_up(self) -> None:
        self.end(ResultTimeout(self.job_id, self.timeout or 0))

    def seen_on_its_way(self) -> None:
        self.looked = True
        if self.over:
            self.give_up()


class Results:
    """The waiters of one queue."""

    def __init__(self, store: Store, queue: str) -> None:
        self._jobs, self._queue = store.jobs, queue
        self._channels, self._channel = store.signals.of(queue), store.keys(queue).ended
        self._waiters: dict[str, set[_Waiter]] = {}
        self._unseen: dict[str, None] = {}  # in the order they were asked for
        self._wanted, self._decided = asyncio.Event(), asyncio.Event()
        self._remembered: dict[str, bytes] = {}
        self._unread: deque[bytes] = deque()  # messages that came while nobody waited
        self._bytes = 0
        self._failed: dict[str, bytes] = {}  # as signalled, of jobs that are looked for
        self._expected = 0
        self._waited = self._unawaited = False
        self._until = 0.0
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._stop: Callable[[], None] = _nothing

    @contextlib.asynccontextmanager
    async def expecting(self) -> AsyncIterator[None]:
        """Hear the outcomes of jobs that are sent meanwhile, and for a while after.

        Many may be done, and their records pruned, before the last is sent and the first is waited for. Where nobody
        waited for the results of the send before, nobody is expected to: then this does nothing.
        """
        if self._task is None and self._unawaited:
            yield
            return
        self.listen()
        self._expected += 1
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_LOOK):
                    await self._decided.wait()
            yield
        finally:
            self._expected -= 1
            self._until = monotonic() + UNAWAITED
            self._wanted.set()  # the time to listen is another one now

    def listen(self) -> None:
        """Listen from now on, and for a while."""
        if self._closed:
            raise NotOpen(CLOSED)
        self._until = monotonic() + LINGER
        if self._task is None:
            self._decided.clear()
            self._stop = self._channels.listen(self._channel, self._heard)
            self._task = asyncio.create_task(self._serve(), name=f"results {self._queue}")

    async def wait(self, job_id: str, timeout: float | None) -> JobRecord:
        """The record of a job once it is finished. A job that is finished already has it within any ``timeout``.

        Raises ``JobFailed`` when it ended in any other way than completed, ``ResultTimeout``, ``JobNotFound``, and
        ``NotOpen`` when the app is closed meanwhile.
        """
        self.listen()
        self._waited, self._unawaited = True, False
        while self._unread:
            self._read(self._forget_message())
        remembered = self._remembered.get(job_id)
        if remembered is not None and remembered.startswith(MARKS[COMPLETED]):
            return _result(self._jobs.finished(self._queue, job_id, remembered))
        waiter = _Waiter(job_id, timeout)
        self._waiters.setdefault(job_id, set()).add(waiter)
        if remembered is not None:
            self._failed.setdefault(job_id, remembered)
        if not self._channels.undecided(self._channel):  # else all are asked for as soon as it is decided
            self._ask((job_id,))
        timers = [] if timeout is None else self._timers(waiter, timeout)
        try:
            return _result(await waiter.ended)
        finally:
            for timer in timers:
                timer.cancel()
            self._leave(waiter)

    @staticmethod
    def _timers(waiter: _Waiter, timeout: float) -> list[asyncio.TimerHandle]:
        loop = asyncio.get_running_loop()
        return [
            loop.call_later(timeout, waiter.time_over),
            loop.call_later(max(timeout, FIRST_LOOK), waiter.give_up),
        ]

    def _leave(self, waiter: _Waiter) -> None:
        waiters = self._waiters[waiter.job_id]
        waiters.discard(waiter)
        if not waiters:
            del self._waiters[waiter.job_id]
            self._unseen.pop(waiter.job_id, None)
            self._failed.pop(waiter.job_id, None)
        self._until = monotonic() + LINGER

    # -- hearing --------------------------------------------------------------------------------------------

    def _heard(self, message: bytes | None) -> None:
        if message is None:
            self._decided.set()
            self._ask(self._waiters)
        elif self._waiters:
            self._read(message)
        else:  # most of those who send many never wait: reading is put off until somebody does
            self._unread.append(message)
            self._bytes += len(message)
            self._forget()

    def _read(self, message: bytes) -> None:
        try:
            for job_id, record in ended(message):
                self._ended(job_id, record)
        except ValueError as error:
            log.warning("a signal on %s is not ours: %s", self._channel, error)

    def _ended(self, job_id: str, record: bytes | None) -> None:
        if job_id not in self._waiters:
            if record is not None:
                self._remember(job_id, record)
        elif record is not None and record.startswith(MARKS[COMPLETED]):
            self._resolve(job_id, record)
        else:  # a failed job may have been requeued since: what it is now, the server knows
            if record is not None:
                self._failed[job_id] = record
            self._ask((job_id,))

    def _remember(self, job_id: str, record: bytes) -> None:
        self._bytes += len(record) - len(self._remembered.pop(job_id, b""))
        self._remembered[job_id] = record
        self._forget()

    def _forget(self) -> None:
        """The oldest of what is remembered, past ``REMEMBERED``."""
        while self._bytes > REMEMBERED:
            if self._remembered:
                oldest = next(iter(self._remembered))
                self._bytes -= len(self._remembered.pop(oldest))
            else:
                self._forget_message()

    def _forget_message(self) -> bytes:
        message = self._unread.popleft()
        self._bytes -= len(message)
        return message

    def _resolve(self, job_id: str, record: bytes) -> None:
        try:
            outcome: JobRecord | Exception = self._jobs.finished(self._queue, job_id, record)
        except Exception as error:  # a record that nobody can read: only those who wait for it learn of that
            outcome = error
        self._end(job_id, outcome)

    def _end(self, job_id: str, outcome: JobRecord | BaseException) -> None:
        self._unseen.pop(job_id, None)
        for waiter in list(self._waiters.get(job_id, ())):
            waiter.end(outcome)

    # -- looking --------------------------------------------------------------------------------------------

    def _ask(self, ids: Iterable[str]) -> None:
        self._unseen.update(dict.fromkeys(ids))
        self._wanted.set()

    async def _serve(self) -> None:
        try:
            while self._waiters or self._expected or monotonic() < self._until:
                try:
                    await self._turn()
                except Unavailable:  # the job does not end with a connection, so neither does the wait
                    await asyncio.sleep(AGAIN)
        finally:
            self._stop()
            self._task = None
            self._waited, self._unawaited = False, not self._waited
            self._remembered.clear()
            self._unread.clear()
            self._bytes = 0
            for job_id in list(self._waiters):  # nobody looks for them any more
                self._end(job_id, NotOpen(CLOSED))

    async def _turn(self) -> None:
        """Look for whom a look was asked, or for all when none was for a while."""
        patience = RECHECK if self._channels.hears(self._channel) else DEAF
        if not (self._waiters or self._expected):
            patience = min(patience, max(0.0, self._until - monotonic()))
        try:
            async with asyncio.timeout(patience):
                await self._wanted.wait()
        except TimeoutError:
            self._ask(self._waiters)
        self._wanted.clear()
        # what is asked from here on is asked of the next look: this one may be answered before what it is asked about
        ids, self._unseen = list(self._unseen), {}
        if ids:
            await self._look(ids)

    async def _look(self, ids: list[str]) -> None:
        try:
            found = await self._jobs.endings(self._queue, ids)
        except Exception as error:
            if isinstance(error, Unavailable) and not isinstance(error, Rejected):
                self._ask(job_id for job_id in ids if job_id in self._waiters)
                raise
            for job_id in ids:
                self._end(job_id, error)
            return
        missing = [job_id for job_id, said in found.items() if said is False]
        for job_id, said in found.items():
            if isinstance(said, bytes):
                self._resolve(job_id, said)
            elif said:
                for waiter in list(self._waiters.get(job_id, ())):
                    waiter.seen_on_its_way()
        if missing:
            await self._gone(missing)

    async def _gone(self, ids: list[str]) -> None:
        """They have no place any more; what was told of them before we looked is heard by now."""
        await self._channels.caught_up()
        for job_id in ids:
            if failed := self._failed.get(job_id):
                self._resolve(job_id, failed)
            self._end(job_id, JobNotFound(self._queue, job_id))

    async def close(self) -> None:
        """End the waiting: who still waits gets ``NotOpen``."""
        self._closed = True
        for job_id in list(self._waiters):
            self._end(job_id, NotOpen(CLOSED))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._stop()  # also where the task had not begun


def _nothing() -> None:
    """Nothing to stop."""


def _result(job: JobRecord) -> JobRecord:
    if job.state is not State.COMPLETED:
        error = job.error or Failure("", "")
        kind = JobCancelled if job.state is State.CANCELLED else JobFailed
        raise kind(job.id, job.state.value, error.type, error.message)
    return job
