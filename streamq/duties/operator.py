"""Duty: background operations go on, whoever set them off. Each step acts and counts at once, so any process goes on
where another ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from streamq.duties.duty import Rounds
from streamq.model.clock import from_ms, monotonic
from streamq.model.operation import OperationRecord
from streamq.redis.links import Links
from streamq.store.store import Store

log = logging.getLogger("streamq.operator")

EVERY: Final = 10.0
"""Seconds between two looks: an operation that begins is heard of, and one whose process was lost goes on so late."""
YIELD: Final = 2.0
"""Rest after each step, in times that it took: other work of the server comes between."""
TURN: Final = 1.0
"""Seconds of steps in a row for one queue before the others have their turn."""
KEPT: Final = timedelta(days=1)
"""How long an operation that has ended can be looked at."""


class Operator(Rounds):
    """Sees to the queues that ``queues()`` names."""

    def __init__(
        self, store: Store, queues: Callable[[], Sequence[str]], *, links: Links | None = None
    ) -> None:
        super().__init__(
            "operator", store, queues, longest=EVERY, act="go on with operations of", links=links
        )

    def _hear(self, queue: str, message: bytes | None) -> None:
        if message is None or message.startswith(b"operation"):
            self._due_now(queue)

    def _due_now(self, queue: str) -> None:
        self._at[queue] = monotonic()
        self._rested = True
        self.wake()

    async def once(self) -> int:
        """One round over the queues that are due."""
        self._listen(self._queues())
        return await super().once()

    async def see_to(self, queue: str) -> int:
        """Go on with what runs in one queue, for a while. Returns how many jobs that concerned."""
        all_of_it = await self._store.operations.of(queue, self._links)
        running = [operation for operation in all_of_it if operation.state == "running"]
        await self._forget([operation for operation in all_of_it if operation not in running], queue)
        done, deadline = 0, monotonic() + TURN
        for operation in running:
            while monotonic() < deadline:
                state, count, took = await self._step(operation)
                done += count
                if state != "running":
                    break
                await asyncio.sleep(YIELD * took)
        if monotonic() >= deadline:
            asyncio.get_running_loop().call_soon(self._due_now, queue)
        return done

    async def _step(self, operation: OperationRecord) -> tuple[str, int, float]:
        began = monotonic()
        state, count = await self._store.operations.step(self._links, operation.queue, operation.id)
        if state == "done":
            log.info("%s %s of %s is done", operation.kind, operation.id, operation.queue)
        return state, count, monotonic() - began

    async def _forget(self, ended: Sequence[OperationRecord], queue: str) -> None:
        if not ended:
            return
        before = from_ms(self._store.clock.now()) - KEPT
        old = [operation.id for operation in ended if operation.ended_at and operation.ended_at < before]
        if old:
            await self._store.operations.forget(self._links, queue, old)
