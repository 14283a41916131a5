"""Background operations: an operator sets one off, duties take its steps, and everybody may look how far it is."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from streamq.model.operation import OperationRecord, begin_text, operation
from streamq.model.states import State
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

STEP: Final = 200
"""Jobs that one step deletes at most: a few milliseconds of the server's time."""


class Operations:
    """Commands: an operation begins, is cancelled, takes a step. Queries: one, or all of a queue."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def begin(self, queue: str, kind: str, states: Sequence[State], total: int, by: str) -> str:
        """Set an operation off. Returns its id."""
        operation_id = secrets.token_hex(8)
        await self._operate(queue, operation_id, begin_text(kind, states, total, by))
        return operation_id

    async def cancel(self, queue: str, operation_id: str) -> str:
        """Cancel an operation: what it has done stays done. Returns its state before, empty where there is none."""
        return await self._operate(queue, operation_id, b"")

    async def _operate(self, queue: str, operation_id: str, begins: bytes) -> str:
        async with self._access.pool.links() as links:
            keys = self._access.keys(queue)
            before = await scripts.OPERATE.run(links.of(queue), keys, operation_id, begins)
        return str(before.decode())

    async def step(self, links: Links, queue: str, operation_id: str) -> tuple[str, int]:
        """Take one step. Returns its state now, empty where there is none, and how many jobs that deleted."""
        keys = self._access.keys(queue)
        state, deleted = await scripts.PURGE.run(links.of(queue), keys, operation_id, STEP)
        return state.decode(), deleted

    async def forget(self, links: Links, queue: str, operation_ids: Sequence[str]) -> None:
        """Forget operations that have ended."""
        await links.of(queue).call("HDEL", self._access.keys(queue).operations, *operation_ids)

    # -- queries --------------------------------------------------------------------------------------------

    async def of(self, queue: str, links: Links | None = None) -> list[OperationRecord]:
        """The operations of a queue that have not been forgotten, the latest first. What cannot be read is left out."""
        keys = self._access.keys(queue)
        if links is not None:
            rows = await links.of(queue).call("HGETALL", keys.operations)
        else:
            rows = await self._access.pool.call(queue, "HGETALL", keys.operations)
        found = [operation(queue, name.decode("utf-8", "replace"), raw) for name, raw in pairs(rows).items()]
        return sorted((each for each in found if each), key=lambda each: str(each.created_at), reverse=True)

    async def one(self, queue: str, operation_id: str) -> OperationRecord | None:
        """One operation; ``None`` where there is none."""
        raw = await self._access.pool.call(queue, "HGET", self._access.keys(queue).operations, operation_id)
        return None if raw is None else operation(queue, operation_id, raw)
