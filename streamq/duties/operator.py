"""Duty: what operators set off goes on, whoever it was: background operations, and the return of held jobs when the
pause of their task is over. Each step acts and counts at once, so any process goes on where another ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from streamq.duties.duty import Rounds
from streamq.errors import Rejected, UsageError
from streamq.model.clock import from_ms, monotonic
from streamq.model.operation import OperationRecord
from streamq.model.places import number_of, queue_of
from streamq.redis.links import Links
from streamq.store.bulk import Step
from streamq.store.steering import Resumed
from streamq.store.store import Store

log = logging.getLogger("streamq.operator")

EVERY: Final = 30.0
"""Seconds between two looks without a reason: one is that a process has taken the place of a lost one."""
YIELD: Final = 3.0
"""Rest after each step, in times that it took: other work of the server comes between."""
BULK_YIELD: Final = 0.4
"""The same of an operation by filter, whose step is mostly the work of this process: the server rests meanwhile."""
TURN: Final = 1.0
"""Seconds of steps in a row for one queue before the others have their turn."""
KEPT: Final = timedelta(days=1)
"""How long an operation that has ended can be looked at."""
KEPT_AT_MOST: Final = 100
"""Operations of a queue that have ended and can be looked at: whoever purges in a loop fills no memory."""
NEWS: Final = (b"operation", b"steer")
"""The words of the signals that wake it."""


class Operator(Rounds):
    """Sees to the queues that ``queues()`` names."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__(
            "operator", store, queues, longest=EVERY, act="go on with operations of", links=links
        )
        self._news: set[str] = set()
        """Queues of which something was heard since they were last seen to: perhaps in the midst of that."""

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is None or message.startswith(NEWS):
            self._due_now(queue)

    def _due_now(self, queue: str) -> None:
        self._news.add(queue)
        self._at[queue] = monotonic()
        self._rested = True
        self.wake()

    async def once(self) -> int:
        """One round over the queues that are due."""
        self._listen(self._queues())
        done = await super().once()
        self._at.update(dict.fromkeys(self._news, monotonic()))
        return done

    async def see_to(self, queue: str) -> int:
        """Go on with what there is to do in one queue, for a while. Returns how many jobs that concerned."""
        self._news.discard(queue)
        deadline, loop = monotonic() + TURN, asyncio.get_running_loop()
        step = await self._resume(queue)
        done = step.resumed
        while step.more and monotonic() < deadline:
            step = await self._resume(queue)
            done += step.resumed
        if step.next_end is not None and step.next_end < EVERY:
            loop.call_later(step.next_end, self._due_now, queue)
        if step.operations:
            done += await self._operate(queue, deadline)
        if monotonic() >= deadline:
            loop.call_soon(self._due_now, queue)
        return done

    async def _resume(self, queue: str) -> Resumed:
        """Some held jobs wait again; then the server has time for others."""
        began = monotonic()
        step = await self._store.steering.resume_held(self._links, queue)
        if step.resumed:
            await asyncio.sleep(YIELD * (monotonic() - began))
        return step

    async def _operate(self, queue: str, deadline: float) -> int:
        all_of_it = await self._store.operations.of(queue, self._links)
        if parts := [each for each in all_of_it if each.parts > 1 and number_of(queue)]:
            await self._store.operations.forget_with_first(self._links, queue, parts)
            # who sees to the first partition takes the steps of those that come in turn
            all_of_it = [each for each in all_of_it if not (each in parts and each.in_turn)]
        running = [operation for operation in all_of_it if operation.state == "running"]
        await self._forget([operation for operation in all_of_it if operation not in running], queue)
        done, trouble = 0, None
        for operation in running:
            try:
                done += await self._go_on(operation, deadline)
            except (Rejected, UsageError) as error:  # that of another version, or of nobody: the others go on
                trouble = error
        if trouble:
            raise trouble
        return done

    async def _go_on(self, operation: OperationRecord, deadline: float) -> int:
        done = 0
        while monotonic() < deadline:
            step, took = await self._step(operation)
            done += step.changed
            if step.state != "running":
                break
            if step.wait > 0:  # it goes on at a rate, or waits for the first of its jobs
                asyncio.get_running_loop().call_later(step.wait, self._due_now, operation.queue)
                break
            await asyncio.sleep((YIELD if operation.filter == "" else BULK_YIELD) * took)
        return done

    async def _step(self, operation: OperationRecord) -> tuple[Step, float]:
        began = monotonic()
        step = await self._store.operations.step(self._links, operation.queue, operation.id)
        took = monotonic() - began
        if step.state in ("done", "stopped"):
            await self._tell_end(operation)
        return step, took

    async def _tell_end(self, operation: OperationRecord) -> None:
        """That it has ended, once it has in all partitions of its queue."""
        names = self._store.partition.known_of_each([queue_of(operation.queue)])
        whole = await self._store.operations.whole(names, operation.id)
        if whole is not None and whole.state != "running":
            log.info("%s %s of %s is %s", whole.kind, whole.id, whole.queue, whole.state)

    async def _forget(self, ended: Sequence[OperationRecord], queue: str) -> None:
        """``ended`` is in order, the latest first."""
        before = from_ms(self._store.clock.now()) - KEPT
        old = [
            operation.id for place, operation in enumerate(ended)
            if place >= KEPT_AT_MOST or (operation.ended_at and operation.ended_at < before)
        ]  # fmt: skip
        if old:
            await self._store.operations.forget(self._links, queue, old)
