"""Background operations: an operator sets one off, duties take its steps, and everybody may look how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from streamq.model.clock import from_ms
from streamq.model.job_record import JobRecord
from streamq.model.operation import (
    Bulk,
    Handed,
    OperationRecord,
    as_one,
    begin_text,
    course,
    handed,
    operation,
)
from streamq.model.places import number_of, partition, queue_of
from streamq.model.states import State
from streamq.noun_errors import OperationConflict
from streamq.redis import scripts
from streamq.redis.answers import readable, translate
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access
from streamq.store.bulk import NOTHING, Step, bulk_step

STEP: Final = 50
"""Jobs that one step deletes at most: a fraction of a millisecond of the server's time, as short as other commands, so
that nobody notices."""

BEGINS: Final = timedelta(minutes=1)
"""How long it may take until an operation is told to all partitions: the first is told last."""
UNTOLD: Final = 0.05
"""Seconds after which a partition looks again whether the first one was told."""
CONFLICT: Final = "conflict "
"""How the answer begins when another operation is for the same jobs."""


class Operations:
    """Commands: an operation begins, is cancelled, takes a step. Queries: one, or all of a queue."""

    def __init__(self, access: Access, known: Callable[[JobRecord], JobRecord]) -> None:
        self._access, self._known = access, known
        self._turns: dict[str, tuple[int, Handed]] = {}
        """Of an operation that goes through partitions, which has its turn, and what it was handed."""

    # -- commands -------------------------------------------------------------------------------------------

    async def begin(
        self, queue: str, operation_id: str, kind: str, states: Sequence[State], total: int, by: str
    ) -> None:
        """Set an operation off."""
        await self._operate(queue, operation_id, begin_text(kind, states, total, by))

    async def begin_bulk(
        self, queue: str, operation_id: str, bulk: Bulk, total: int, by: str, parts: int = 1
    ) -> None:
        """Set off an operation by filter in one of so many partitions. Raises ``OperationConflict``."""
        before = await self._operate(queue, operation_id, bulk.begin_text(total, by, parts))
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
        raw = await self._raw(links, queue, operation_id)
        if raw is not None and (its := course(raw)) is not None:
            if its.in_turn:
                return await self._in_turn(links, queue, operation_id, its.parts)
            if (
                its.parts > 1
                and not its.cursor
                and await self._raw(links, queue_of(queue), operation_id) is None
            ):
                return Step("running", 0, wait=UNTOLD)
            return await bulk_step(self._access, links, queue, operation_id, its, self._known)
        state, deleted = await scripts.PURGE.run(links.of(queue), keys, operation_id, STEP)
        return Step(state.decode(), deleted)

    async def _in_turn(self, links: Links, first: str, operation_id: str, parts: int) -> Step:
        """A step of an operation that goes through the partitions one after the other, so that its rate and its canary
        are those of the whole queue. The ``first`` one comes last, and ends with it: who sees to that one takes the
        steps in all."""
        if number_of(first):
            return Step("", 0)
        at, before = self._turns.get(operation_id, (parts - 1, NOTHING))
        while True:
            queue = partition(first, at)
            raw = await self._raw(links, queue, operation_id)
            if raw is not None and (its := course(raw)) is not None:
                step = await bulk_step(self._access, links, queue, operation_id, its, self._known, before)
                return step._replace(state="running") if at else step
            state, before = handed(raw, before)
            if state != "done" or not at:
                for rest in range(at):
                    await self.cancel(partition(first, rest), operation_id)
                return Step(state, 0)
            at -= 1
            self._turns[operation_id] = at, before

    async def _raw(self, links: Links, queue: str, operation_id: str) -> bytes | None:
        raw: bytes | None = await links.of(queue).call(
            "HGET", self._access.keys(queue).operations, operation_id
        )
        return raw

    async def forget(self, links: Links, queue: str, operation_ids: Sequence[str]) -> None:
        """Forget operations that have ended."""
        await links.of(queue).call("HDEL", self._access.keys(queue).operations, *operation_ids)
        for each in operation_ids:
            self._turns.pop(each, None)

    async def forget_with_first(self, links: Links, queue: str, parts: Sequence[OperationRecord]) -> None:
        """Forget what a partition has of operations that the first one was never told; and where it comes in turn, of
        those that the first one has forgotten."""
        first, ids = queue_of(queue), [each.id for each in parts]
        told = await links.of(first).call("HMGET", self._access.keys(first).operations, *ids)
        lately = from_ms(self._access.clock.now()) - BEGINS
        gone = [
            each.id for each, raw in zip(parts, told, strict=True)
            if raw is None and (each.created_at is None or each.created_at < lately)
            and (each.in_turn or not (each.done or each.looked))
        ]  # fmt: skip
        if gone:
            await self.forget(links, queue, gone)

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

    async def whole(self, queues: Sequence[str], operation_id: str) -> OperationRecord | None:
        """One operation, of what these partitions have of it; ``None`` where there is none."""
        async with self._access.pool.links() as links:
            rows = await links.commands(
                queues, [("HGET", self._access.keys(queue).operations, operation_id) for queue in queues]
            )
        found = list[OperationRecord]()
        for queue, raw in zip(queues, rows, strict=True):
            if isinstance(raw, Exception):
                raise translate(raw, sent=True) from raw
            if (part := operation(queue, operation_id, raw or b"")) is not None:
                found.append(part)
        return as_one(found) if found else None


def _read(queue: str, rows: Any) -> list[OperationRecord]:
    found = [operation(queue, name.decode("utf-8", "replace"), raw) for name, raw in pairs(rows).items()]
    return [each for each in found if each]


def _in_order(found: Iterable[OperationRecord]) -> list[OperationRecord]:
    return sorted(found, key=lambda each: str(each.created_at), reverse=True)
