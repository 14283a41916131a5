"""The canceller: running attempts whose jobs are to end are told so.

A signal says that the end of a job was asked for. It may be lost, or come from the life of the job before, so it only
makes this worker look: the requests that the server has are the truth. The heartbeat says when there are any, and the
first jobs of a queue that were on their way while a signal came make it look once more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from streamq.errors import StreamqError
from streamq.model.places import queue_of
from streamq.redis.signals import cancelled
from streamq.store.store import Store
from streamq.worker.runner import Runner
from streamq.worker.slots import Slots

log = logging.getLogger("streamq.runner")

ON_ITS_WAY: Final = 1.0
"""Seconds that a job which was delivered to this worker may take to begin here: a hundred times what it does."""
AWAITED: Final = 1_000
"""Jobs that may be on their way here at a time: each worker hears of all that are cancelled, and most run elsewhere."""


class Canceller:
    """Of one worker. ``look`` may be called with queues at any time; ``run`` does the looking."""

    def __init__(self, store: Store, queues: Sequence[str], slots: Slots, runner: Runner) -> None:
        self._store, self._queues, self._slots, self._runner = store, queues, slots, runner
        self._listening: dict[str, Callable[[], None]] = {}
        self._wanted: dict[str, set[str] | None] = {}
        """By queue the jobs of which was heard; ``None`` for all that run here."""
        self._work = asyncio.Event()

    async def run(self) -> None:
        """Listen and look until cancelled."""
        self.listen()
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                while self._wanted:
                    await self._look(*self._wanted.popitem())
        finally:
            self._store.signals.listen_only(self._listening, {}, self._heard)

    def listen(self) -> None:
        """Hear what is told to those that the queues are now."""
        channels = {queue: self._store.keys(queue).signals for queue in self._queues}
        self._store.signals.listen_only(self._listening, channels, self._heard)

    def look(self, queues: Iterable[str]) -> None:
        """There may be requests in these queues."""
        self._wanted.update(dict.fromkeys(queues))
        self._work.set()

    def _heard(self, queue: str, message: bytes | None) -> None:
        if message is None:
            self.look((queue,))
        elif ids := set(cancelled(message)):
            heard = self._wanted.setdefault(queue, ids)
            if heard is not None:
                heard |= ids
            self._work.set()

    async def _look(self, queue: str, heard: set[str] | None) -> None:
        """Tell those of the queue's attempts whose jobs are to end."""
        running = {
            attempt.delivery.job_id: attempt
            for attempt in self._slots.unsettled()
            if attempt.delivery.queue == queue and attempt.told is None
        }
        here = [job_id for job_id in running if heard is None or job_id in heard]
        self._await((heard or set()).difference(here))
        try:
            told = await self._store.jobs.cancels(queue, here)
        except StreamqError as error:
            log.debug(
                "cannot look for requests on %s: %s; the next beat says if there are any",
                queue_of(queue),
                error,
            )
            return
        for job_id, said in told.items():
            self._runner.cancel(running[job_id], said)

    def _await(self, ids: Iterable[str]) -> None:
        """Other workers have these jobs, or they are on their way here."""
        awaited, loop = self._runner.when_begun, asyncio.get_running_loop()
        for job_id in ids:
            if len(awaited) < AWAITED and job_id not in awaited:
                awaited[job_id] = self.look
                loop.call_later(ON_ITS_WAY, awaited.pop, job_id, None)
