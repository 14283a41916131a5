"""What a queue's limits are, and its groups."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import Any, Final, Literal

from streamq.audited import note
from streamq.breaker import CircuitBreaker
from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.group import UNSAID, Group, limit_queue
from streamq.merging import groups_together, one_breaker
from streamq.model.breaker_status import BreakerStatus
from streamq.model.group_status import GroupStatus
from streamq.model.limit import NOT_TOLD, Breaker, Rate, Told, Turns, Unlimited, scope_of_task
from streamq.model.partitions import shares
from streamq.model.shown import as_given
from streamq.options import wrong_task_name
from streamq.partitioned import Partitioned

PAGE_LIMIT: Final = 200
"""Jobs on a page at most, which are read in four round trips; and groups."""


class Limited(Partitioned):
    """The part of a queue that says how much of it may run."""

    async def limit(
        self, *, concurrency: int | Unlimited | None = UNSAID,
        rate: Rate | Unlimited | str | tuple[int, Duration] | None = UNSAID, max_waiting: int | None = UNSAID,
        shared: str | None = UNSAID, turns: Turns | None = UNSAID, breaker: Breaker | Unlimited | str | None = UNSAID,
        task: str | None = None,
    ) -> bool:  # fmt: skip
        """Say how many jobs of the queue, or of one ``task`` in it, may run at once, start in a time, and wait.

        ``concurrency``, ``rate``, ``shared``, ``turns`` (of the queue alone) and ``breaker`` are as ``Limit`` has them,
        and hold at once, for all workers together. What is left out stays; ``None`` goes back to what code says, and
        ``"unlimited"`` lifts that. ``max_waiting``, of the queue alone, lets so many jobs wait: an enqueue beyond
        raises ``QueueFull``, and ``None`` lets any number wait. Delayed jobs do not count until they are due, and
        those that come back never do. Producers that run know it after a second at most. Returns whether that changes
        anything. Raises ``InvalidLimit`` and ``UsageError``.
        """
        self._check_task(task)
        changed = False
        if max_waiting is not UNSAID:
            if task is not None:
                raise UsageError("max_waiting is of a queue, not of a task in it: leave one of both out")
            changed = await self._bound(max_waiting)
        given = {
            "concurrency": concurrency, "rate": rate, "shared": shared, "turns": turns, "breaker": breaker,
        }  # fmt: skip
        if task is not None and turns is not UNSAID:
            raise UsageError("turns are of a queue, not of a task in it: leave one of both out")
        if max_waiting is UNSAID or any(value is not UNSAID for value in given.values()):
            before = (await self.limits()).get(scope_of_task(task))
            changed |= await limit_queue(self._client, self.name, task, given) != (before or NOT_TOLD)
        return changed

    async def _bound(self, max_waiting: int | None) -> bool:
        fits = max_waiting is None or (type(max_waiting) is int and 0 <= max_waiting < 2**53)
        if not fits:
            raise UsageError(
                f"max_waiting={as_given(max_waiting)} is not possible: use a whole number from 0 on, or None"
            )
        changed = False
        async for its in self._client.telling(self.name):
            parts = [] if max_waiting is None else shares(max_waiting, its.count)
            for name, bound in zip_longest(
                its.names(self.name), parts
            ):  # those that are drained get no more jobs
                changed |= await self._client.store.steering.set_max_waiting(name, bound)
                self._client.store.producers.plain.forget(name)
        if changed:
            await self._note("queue.limit", max_waiting="none" if max_waiting is None else max_waiting)
        return changed

    async def limits(self) -> dict[str, Told]:
        """What code says and operators told of limits, by scope: ``queue``, ``task:<name>``, ``group:*`` for every
        tenant and ``group:*:*`` for every part of one. Those of single groups their ``status`` tells."""
        return await self._client.store.groups.limits(self.name)

    def breaker(self, *, task: str | None = None, group: str | None = None) -> CircuitBreaker:
        """The circuit breaker of a task in it, of a group of its jobs, or of all of them: to look at, open and close.
        Raises ``UsageError``, and ``InvalidLimit`` for a group that cannot be."""
        return CircuitBreaker(self.name, self._client, task=task, group=group)

    async def breakers(self) -> list[BreakerStatus]:
        """How the breakers are that are open, and those of which a limit of their own says when they open."""
        found: dict[str, list[BreakerStatus]] = {}
        for breaker in chain.from_iterable(await self._each(self._client.store.groups.breakers)):
            found.setdefault(breaker.scope, []).append(breaker)
        return [one_breaker(found[scope]) for scope in sorted(found)]

    # -- groups ---------------------------------------------------------------------------------------------

    def group(self, name: str) -> Group:
        """A group of its jobs, such as ``"66338"`` or ``"66338:contact-9"``; ``"*"`` is every tenant and ``"*:*"``
        every part of one. Raises ``InvalidLimit`` for a name that cannot be."""
        return Group(self.name, name, self._client)

    async def groups(
        self, *, order: Literal["busiest", "longest"] = "busiest", limit: int = 50
    ) -> list[GroupStatus]:
        """Groups of which jobs wait: the ``busiest`` first, or those first whose jobs have waited ``longest``.

        However many groups there are, it looks at some of them alone. ``limit`` is 1 to 200. Raises ``UsageError``.
        """
        if type(limit) is not int or not 1 <= limit <= PAGE_LIMIT:
            raise UsageError(f"limit={as_given(limit)} is not a page size: use 1 to {PAGE_LIMIT}")
        if order not in ("busiest", "longest"):
            raise UsageError(f"order={as_given(order)} is not possible: use busiest or longest")
        groups, longest = self._client.store.groups, order == "longest"
        return groups_together(
            await self._each(lambda name: groups.listed(name, limit, longest=longest)), limit, longest=longest
        )

    async def _note(self, action: str, subject: str = "", by: str = "", **details: Any) -> None:
        await note(self._client, self.name, action, subject, by, **details)

    def _check_task(self, task: str | None) -> None:
        if task is not None and (problem := wrong_task_name(task, is_new=False)):
            raise UsageError(problem)
