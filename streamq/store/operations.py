"""Background operations: an operator sets one off, duties take its steps, and everybody may look how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from streamq.model.job_record import JobRecord
from streamq.model.operation import Bulk, OperationRecord, as_one, begin_text, course, operation
from streamq.model.places import queue_of
from streamq.model.states import State
from streamq.noun_errors import OperationConflict
from streamq.redis import scripts
from streamq.redis.answers import readable
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.bulk import Step, bulk_step

STEP: Final = 50
"""Jobs that one step deletes at most: a fraction of a millisecond of the server's time, as short as other commands, so
that nobody notices."""

CONFLICT: Final = "conflict "
"""How the answer begins when another operation is for the same jobs."""


class Operations:
    """Commands: an operation begins, is cancelled, takes a step. Queries: one, or all of a queue."""

    def __init__(self, access: Access, known: Callable[[JobRecord], JobRecord]) -> None:
        self._access, self._known = access, known

    # -- commands -------------------------------------------------------------------------------------------

    async def begin(
        self, queue: str, operation_id: str, kind: str, states: Sequence[State], total: int, by: str
    ) -> None:
        """Set an operation off."""
        await self._operate(queue, operation_id, begin_text(kind, states, total, by))

    async def begin_bulk(self, queue: str, operation_id: str, bulk: Bulk, total: int, by: str) -> None:
        """Set off an operation by filter. Raises ``OperationConflict``."""
        before = await self._operate(queue, operation_id, bulk.begin_text(total, by))
        if before.startswith(CONFLICT):
            raise OperationConflict(queue_of(queue), before.removeprefix(CONFLICT))

    async def cancel(self, queue: str, operation_id: str) -> str:
        """Cancel an operation: what it has done stays done. Returns its state before, empty where there is none."""
        return await self._operate(queue, operation_id, b"")

    async def _operate(self, queue: str, operation_id: str, begins: bytes) -> str:
        async with self._access.pool.links() as links:
            keys = self._access.keys(queue)
            before = await scripts.OPERATE.run(links.of(queue), keys, operation_id, begins)
        return str(before.decode())

    async def help(self, queue: str, operation_id: str) -> None:
        """Take one step over a connection for ordinary commands."""
        async with self._access.pool.links() as links:
            await self.step(links, queue, operation_id)

    async def step(self, links: Links, queue: str, operation_id: str) -> Step:
        """Take one step. Returns its state now, empty where there is none, and how many jobs that changed."""
        keys = self._access.keys(queue)
        raw = await links.of(queue).call("HGET", keys.operations, operation_id)
        if raw is not None and (its := course(raw)) is not None:
            return await bulk_step(self._access, links, queue, operation_id, its, self._known)
        state, deleted = await scripts.PURGE.run(links.of(queue), keys, operation_id, STEP)
        return Step(state.decode(), deleted)

    async def forget(self, links: Links, queue: str, operation_ids: Sequence[str]) -> None:
        """Forget operations that have ended."""
        await links.of(queue).call("HDEL", self._access.keys(queue).operations, *operation_ids)

    # -- queries --------------------------------------------------------------------------------------------

    async def of_each(self, queues: Sequence[str]) -> list[OperationRecord]:
        """The operations of several queues likewise; all are asked in one round trip."""
        async with self._access.pool.links() as links:
            rows = await links.commands(
                queues, [("HGETALL", self._access.keys(queue).operations) for queue in queues]
            )
        found: dict[str, list[OperationRecord]] = {}
        for queue, row in readable(queues, rows):
            for each in _read(queue, row):
                found.setdefault(each.id, []).append(each)
        return _in_order(map(as_one, found.values()))

    async def of(self, queue: str, links: Links) -> list[OperationRecord]:
        """The operations of a queue that have not been forgotten, the latest first. What cannot be read is left out."""
        return _in_order(
            _read(queue, await links.of(queue).call("HGETALL", self._access.keys(queue).operations))
        )

    async def one(self, queue: str, operation_id: str) -> OperationRecord | None:
        """One operation; ``None`` where there is none."""
        raw = await self._access.pool.call(queue, "HGET", self._access.keys(queue).operations, operation_id)
        return None if raw is None else operation(queue, operation_id, raw)


def _read(queue: str, rows: Any) -> list[OperationRecord]:
    found = [operation(queue, name.decode("utf-8", "replace"), raw) for name, raw in pairs(rows).items()]
    return [each for each in found if each]


def _in_order(found: Iterable[OperationRecord]) -> list[OperationRecord]:
    return sorted(found, key=lambda each: str(each.created_at), reverse=True)
