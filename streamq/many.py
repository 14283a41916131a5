"""What is done to many jobs of a queue at once, in the background: by state, and by filter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from streamq.acting import actor
from streamq.audited import note
from streamq.bulk import UNSAID, Rate, bulk_of
from streamq.errors import UsageError
from streamq.model.clock import monotonic
from streamq.model.filter_text import narrowed
from streamq.model.job_record import Counted
from streamq.model.operation import Bulk, OperationRecord, new_id
from streamq.model.shown import as_given
from streamq.model.states import PURGED, State
from streamq.noun_errors import OperationConflict
from streamq.operation import Operation, checked
from streamq.options import line
from streamq.partitioned import Partitioned


class Many(Partitioned):
    """The part of a ``Queue`` that sets operations off."""

    async def purge(self, states: Iterable[State | str] = PURGED, *, by: str = "") -> Operation:
        """Delete the jobs of these states, by default of all but ``active``; there is no way back.

        It goes on in the background, done by workers and schedulers, for the jobs that are there now. Raises
        ``UsageError`` for a state whose jobs cannot be purged.
        """
        return await self._begin("purge", states, by)

    async def drain(self, *, delayed: bool = False, by: str = "") -> Operation:
        """Delete what has not begun: the waiting jobs, and with ``delayed`` the delayed and held ones, too."""
        states = (State.HELD, State.DELAYED, State.WAITING) if delayed else (State.WAITING,)
        return await self._begin("drain", states, by)

    async def _begin(self, kind: str, states: Iterable[State | str], by: str) -> Operation:
        asked = [states] if isinstance(states, str) or not isinstance(states, Iterable) else list(states)
        if not asked:
            raise UsageError(f"name a state whose jobs are to be purged: any of {', '.join(PURGED)}")
        if strange := [state for state in asked if state not in PURGED]:
            raise UsageError(
                f"jobs that are {as_given(strange[0])} cannot be purged: use any of {', '.join(PURGED)}"
            )
        wanted = [state for state in PURGED if state in asked]
        operations = self._client.store.operations

        async def begin(name: str, begun: str, total: int, by: str, _: int) -> None:
            await operations.begin(name, begun, kind, wanted, total, by)

        return await self._set_off(kind, wanted, begin, by, {"states": [state.value for state in wanted]})

    async def retry_all(
        self, text: str, *, rate: Rate | None = None, canary: int | None = None, by: str = ""
    ) -> Operation:
        """Let the jobs that a filter means wait again, in the background: the failed ones, unless it names states.

        With ``rate`` only so many a second (``50``, ``"50/s"``, ``"10/m"``). With ``canary`` so many first: when one of
        these fails again, the operation is ``stopped``; else it goes on with the others. ``skipped`` counts those
        whose unique key is in use. Raises ``InvalidFilter``, ``UsageError`` for a state that does not allow it, and
        ``OperationConflict`` where an operation that runs is for the same jobs.
        """
        return await self._begin_bulk(bulk_of("retry", text, rate=rate, canary=canary), by)

    async def cancel_all(
        self, text: str, reason: str = "", *, rate: Rate | None = None, by: str = ""
    ) -> Operation:
        """Cancel the jobs that a filter means, in the background: those that have not begun, unless it names states.

        With ``state:active`` those that run are told to end, as ``cancel`` does. Raises as ``retry_all``.
        """
        return await self._begin_bulk(bulk_of("cancel", text, rate=rate, reason=line("reason", reason)), by)

    async def promote_all(self, text: str, *, rate: Rate | None = None, by: str = "") -> Operation:
        """Let the delayed jobs that a filter means wait now, in the background. Raises as ``retry_all``."""
        return await self._begin_bulk(bulk_of("promote", text, rate=rate), by)

    async def delete_all(self, text: str, *, rate: Rate | None = None, by: str = "") -> Operation:
        """Delete the records of ended jobs that a filter means, in the background. Raises as ``retry_all``."""
        return await self._begin_bulk(bulk_of("delete", text, rate=rate), by)

    async def count_all(self, action: str, text: str, *, patience: float = 2.0) -> Counted:
        """How many jobs ``retry_all``, ``cancel_all``, ``promote_all`` or ``delete_all`` would be for now.

        ``action`` is ``retry``, ``cancel``, ``promote`` or ``delete``. It counts for ``patience`` seconds at most, and
        says whether that was enough. Raises as ``retry_all``.
        """
        if action not in UNSAID:
            raise UsageError(f"action={as_given(action)} is none: use {', '.join(UNSAID)}")
        bulk, store = bulk_of(action, text), self._client.store
        if bulk.whole:
            counts = await self._counts()
            return Counted(sum(counts[state] for state in bulk.states), 0, True)
        deadline, found = monotonic() + patience, list[Counted]()
        for state in bulk.states:
            for name in await self._names():
                found.append(await store.search.count(name, narrowed(text, state, None), deadline))
        looked = sum(each.looked for each in found)
        return Counted(sum(each.count for each in found), looked, all(each.exact for each in found))

    async def _begin_bulk(self, bulk: Bulk, by: str) -> Operation:
        operations = self._client.store.operations

        async def begin(name: str, begun: str, total: int, by: str, parts: int) -> None:
            await operations.begin_bulk(name, begun, bulk, total, by, parts)

        return await self._set_off(bulk.kind, bulk.states, begin, by, {"filter": bulk.filter})

    async def _set_off(
        self, kind: str, states: Iterable[State], begin: Callable[[str, str, int, str, int], Awaitable[None]],
        by: str, told: dict[str, Any],
    ) -> Operation:  # fmt: skip
        """Begin, with how many jobs there are in these states now and who asks for it, and note the act. The first
        partition is told last, and the others wait for that: nothing is done before all know of it."""
        its = await self._client.store.partition.settled_or_moving(self.name)
        names, begun, who, total = its.names(self.name)[::-1], new_id(self.name), line("by", by) or actor(), 0
        states = list(states)
        for name in names:
            counts = (await self._client.store.queues.counts(name)).asdict()
            total += (own := sum(counts[state] for state in states))
            try:
                await begin(name, begun, own, who, len(names))
            except OperationConflict:  # none of its parts goes on alone
                for before in names[: names.index(name)]:
                    await self._client.store.operations.cancel(before, begun)
                raise
        await note(self._client, self.name, f"queue.{kind}", begun, by, **told, total=total)
        return Operation(begun, self.name, self._client)

    async def operations(self) -> list[OperationRecord]:
        """The background operations of the queue, the latest first; those of more than a day ago are forgotten."""
        return await self._client.store.operations.of_each(await self._names())

    async def _counts(self) -> dict[str, int]:
        found = await self._each(self._client.store.queues.counts)
        return sum(found[1:], found[0]).asdict()

    def operation(self, operation_id: str) -> Operation:
        """The handle on an operation, by its id."""
        return Operation(checked(operation_id), self.name, self._client)
