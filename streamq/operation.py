"""The handle on a background operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from streamq.audited import note
from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.model.clock import monotonic
from streamq.model.operation import OperationRecord
from streamq.model.shown import as_given
from streamq.noun_errors import OperationEnded, OperationNotFound, OperationTimeout
from streamq.partitioned import each
from streamq.terms import patience

LOOK = 0.2
"""Seconds between two looks of a caller that waits."""
NOBODY = 1.0
"""Seconds without a step after which the caller takes the steps: where there is no worker and no scheduler."""
YIELD = 3.0
"""Rest of such a caller after each step, in times that it took, as that of the duty."""


def checked(operation_id: object) -> str:
    """What may be the id of an operation. Raises ``UsageError``."""
    if not isinstance(operation_id, str):
        raise UsageError(f"{as_given(operation_id)} is not the id of an operation: give it as text")
    return operation_id


@dataclass(frozen=True, slots=True)
class Operation:
    """A handle on an operation. Workers and schedulers go on with it, whatever becomes of the process that began it."""

    id: str
    queue: str
    _client: Client = field(repr=False, compare=False)

    async def status(self) -> OperationRecord:
        """How far it is. Raises ``OperationNotFound`` when it ended more than a day ago."""
        found = await self._client.store.operations.whole(await self._names(), self.id)
        if found is None:
            raise OperationNotFound(self.queue, self.id)
        return found

    async def _names(self) -> tuple[str, ...]:
        return await self._client.partition_names(self.queue)

    async def cancel(self) -> OperationRecord:
        """End it where it is; what it has done stays done. One that was cancelled already stays as it is.

        Raises as ``status``, and ``OperationEnded`` for one that has ended otherwise.
        """
        operations = self._client.store.operations
        before = set(await each(lambda name: operations.cancel(name, self.id), await self._names()))
        if (ended := before - {"", "running", "cancelled"}) and "running" not in before:
            raise OperationEnded(self.id, min(ended))
        if "running" in before:
            await note(self._client, self.queue, "operation.cancel", self.id)
        return await self.status()

    async def wait(
        self,
        timeout: Duration | None = None,
        *,
        on_step: Callable[[OperationRecord], object] = lambda _: None,
    ) -> OperationRecord:
        """Return when it has ended; ``on_step`` is told now and then how far it is.

        Raises ``OperationTimeout`` after ``timeout``, a duration; it goes on then.
        """
        seconds = patience(timeout)
        deadline = None if seconds is None else monotonic() + seconds
        async for record in self.follow():
            on_step(record)
            if record.state == "running" and deadline is not None and monotonic() >= deadline:
                raise OperationTimeout(record.id, record.done, record.total)
        return record

    async def follow(self) -> AsyncIterator[OperationRecord]:
        """How far it is, again and again until it has ended. Raises as ``status``.

        Where nobody goes on with it, because no worker and no scheduler runs, who follows it does.
        """
        record, since = await self.status(), monotonic()
        while record.state == "running":
            yield record
            began = monotonic()
            if began - since < NOBODY:
                await asyncio.sleep(LOOK)
                before, record = record, await self.status()
                if record.updated_at != before.updated_at:
                    since = monotonic()
                continue
            for name in await self._names():
                await self._client.store.operations.help(name, self.id)
            await asyncio.sleep(YIELD * (monotonic() - began))
            record = await self.status()
        yield record
