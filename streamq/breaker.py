"""A circuit breaker of a queue, a task or a group, as people look at it, open it and close it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from streamq.acting import actor
from streamq.audited import note
from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.group import end_of
from streamq.merging import one_breaker
from streamq.model.breaker_status import BreakerStatus
from streamq.model.limit import scope_of_group, scope_of_task
from streamq.model.shown import as_given
from streamq.options import line, wrong_task_name
from streamq.partitioned import each


class CircuitBreaker:
    """Made by ``app.queue("sms").breaker(task="send")``, ``breaker(group="66338")``, or ``breaker()`` for all of it.

    ``Limit(breaker="50%/1m")`` says when it opens by itself. While it is open the jobs are held and spend no attempt.
    Every method raises ``Unavailable`` when the server cannot be reached.
    """

    def __init__(self, queue: str, client: Client, *, task: str | None, group: str | None) -> None:
        if task is not None and group is not None:
            raise UsageError("a breaker is of a task or of a group: leave one of both out")
        if task is not None and (problem := wrong_task_name(task, is_new=False)):
            raise UsageError(problem)
        self.queue, self._client = queue, client
        self.scope = scope_of_task(task) if group is None else scope_of_group(group, every=False)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.scope!r} of queue {self.queue!r}>"

    async def status(self) -> BreakerStatus:
        """Whether it is closed, open or half open, and how many attempts have failed of late."""
        groups = self._client.store.groups
        return one_breaker(await each(lambda name: groups.breaker(name, self.scope), await self._names()))

    async def _names(self) -> tuple[str, ...]:
        return await self._client.partition_names(self.queue)

    async def open(
        self, reason: str = "", *, until: Duration | datetime | None = None, by: str = ""
    ) -> BreakerStatus:
        """Hold its jobs until somebody closes it, or until a time; what runs goes on. Raises ``UsageError`` for a task
        or a queue of which no limit is said: its jobs do not wait for the gate, and a pause of the task or the queue
        holds them."""
        groups = self._client.store.groups
        if not self.scope.startswith("group:") and not await groups.is_limited(self.queue, self.scope):
            raise UsageError(
                f"nothing is said of the limit of {as_given(self.scope)}, so its jobs do not wait for the gate: say "
                "when the breaker opens, limit(breaker='50%/1m'), or use pause()"
            )
        said = line("reason", reason), line("by", by) or actor()
        ends = end_of(until)
        async for its in self._client.telling(self.queue):
            for name in its.names(self.queue):
                await groups.pause(name, self.scope, *said, ends)
        await self._note("open", by, reason=reason, until=None if until is None else str(until))
        return await self.status()

    async def close(self) -> bool:
        """Let its jobs start, and forget what has failed. Returns whether it was open."""
        groups = self._client.store.groups
        was_open = False
        async for its in self._client.telling(self.queue):
            for name in its.names(self.queue):
                was_open |= await groups.close_breaker(name, self.scope)
        if was_open:
            await self._note("close")
        return was_open

    async def _note(self, action: str, by: str = "", **details: Any) -> None:
        await note(self._client, self.queue, f"breaker.{action}", self.scope, by, **details)
