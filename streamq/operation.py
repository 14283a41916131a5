"""The handle on a background operation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import OperationNotFound, OperationTimeout
from streamq.model.clock import monotonic
from streamq.model.operation import OperationRecord
from streamq.terms import patience

LOOK = 0.2
"""Seconds between two looks of a caller that waits."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A handle on an operation. Workers and schedulers go on with it, whatever becomes of the process that began it."""

    id: str
    queue: str
    _client: Client = field(repr=False, compare=False)

    async def status(self) -> OperationRecord:
        """How far it is. Raises ``OperationNotFound`` when it ended more than a day ago."""
        found = await self._client.store.operations.one(self.queue, self.id)
        if found is None:
            raise OperationNotFound(self.queue, self.id)
        return found

    async def cancel(self) -> OperationRecord:
        """End it where it is; what it has done stays done. One that has ended stays as it is. Raises as ``status``."""
        await self._client.store.operations.cancel(self.queue, self.id)
        return await self.status()

    async def wait(self, timeout: Duration | None = None) -> OperationRecord:
        """Return when it has ended. Raises ``OperationTimeout`` after ``timeout``, a duration; it goes on then."""
        seconds = patience(timeout)
        deadline = None if seconds is None else monotonic() + seconds
        while (record := await self.status()).state == "running":
            if deadline is not None and monotonic() >= deadline:
                raise OperationTimeout(record.id, record.done, record.total)
            await asyncio.sleep(LOOK)
        return record
