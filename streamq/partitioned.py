"""A queue and its partitions: what is asked of it is asked of each, and comes to one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from streamq.audited import note
from streamq.client.client import Client
from streamq.errors import ConfigurationError, UsageError
from streamq.model.partitions import Partitions, checked_count
from streamq.model.places import place_of
from streamq.model.shown import as_given

T = TypeVar("T")


class Partitioned:
    """The part of a queue that knows its partitions."""

    name: str
    _client: Client

    async def partitions(self) -> Partitions:
        """How many partitions it has, and what becomes of a change; what this program declares is told before."""
        return await self._client.partitions_of(self.name)

    async def partition(self, count: int) -> Partitions:
        """Say how many partitions it has, 1 to 64: for all processes, whatever code says, and while jobs come and run.

        More hold at once for new jobs; a group, and a unique key, keeps its partition until none of its jobs is left
        there, also when the number changes again. Of fewer, those beyond get no new jobs, and are served until they are
        empty. Raises ``UsageError`` for any other number, and ``PartitionsChanging`` while another begins to change it,
        and where groups or keys stay since four changes.
        """
        try:
            checked_count(count)
        except ConfigurationError as error:  # it is no setting here
            raise UsageError(str(error)) from None
        store = self._client.store.partition
        before = await self.partitions()
        its = await store.change(self.name, count, told=True)
        if before.count != its.count:
            await note(self._client, self.name, "queue.partition", was=before.count, count=its.count)
        return its

    def _place(self, job_id: str) -> tuple[str, str]:
        """The partition of a job, and its id there. Raises ``UsageError`` for an id that is no text."""
        if not isinstance(job_id, str):
            raise UsageError(f"{as_given(job_id)} is not the id of a job: give it as text, as job.id has it")
        return place_of(self.name, job_id)

    async def _names(self) -> tuple[str, ...]:
        return await self._client.partition_names(self.name)

    async def _each(self, ask: Callable[[str], Awaitable[T]]) -> list[T]:
        """What each partition answers, in their order."""
        return await each(ask, await self._names())


async def each(ask: Callable[[str], Awaitable[T]], names: tuple[str, ...]) -> list[T]:
    """What each of these answers, in their order; all are asked at once."""
    if len(names) == 1:  # as most queues have
        return [await ask(names[0])]
    asked: list[Any] = [asyncio.ensure_future(ask(name)) for name in names]
    try:
        return list(await asyncio.gather(*asked))
    finally:
        for one in asked:
            one.cancel()  # of no effect when it is done
        await asyncio.gather(*asked, return_exceptions=True)
