"""A group of a queue as people look at it and steer it: a tenant, or a part of one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from streamq.acting import actor
from streamq.audited import note
from streamq.client.client import Client
from streamq.durations import Duration
from streamq.errors import UsageError
from streamq.merging import one_group
from streamq.model.clock import host_now
from streamq.model.group_status import GroupStatus
from streamq.model.limit import (
    EVERY,
    NOT_TOLD,
    Breaker,
    Limit,
    Order,
    Rate,
    Told,
    Unlimited,
    checked,
    scope_of_group,
    scope_of_task,
)
from streamq.noun_errors import InvalidLimit
from streamq.options import line
from streamq.partitioned import each
from streamq.terms import moment
from streamq.times import rfc3339

UNSAID: Final[Any] = object()
"""A part of a limit that stays as it is: ``None`` takes it back."""


class Group:
    """Made by ``app.queue(name).group("66338")``, or ``group("66338:contact-9")`` for a part of a tenant.

    ``group("*")`` stands for every tenant and ``group("*:*")`` for every part of one: these have limits, and nothing
    else. Every method raises ``Unavailable`` when the server cannot be reached.
    """

    def __init__(self, queue: str, name: str, client: Client) -> None:
        self._scope = scope_of_group(name)  # raises for an invalid name
        self.queue, self.name, self._client = queue, name, client

    def __repr__(self) -> str:
        return f"<Group {self.name!r} of queue {self.queue!r}>"

    async def limit(
        self, *, concurrency: int | Unlimited | None = UNSAID,
        rate: Rate | Unlimited | str | tuple[int, Duration] | None = UNSAID, weight: float | None = UNSAID,
        max_waiting: int | Unlimited | None = UNSAID, order: Order | None = UNSAID,
        breaker: Breaker | Unlimited | str | None = UNSAID,
    ) -> Limit:  # fmt: skip
        """Say what holds for the group from now on, also for what waits: see ``Limit`` for the parts.

        What is left out stays. ``None`` takes back what was told before: then the limit of every group holds again, or
        what code says; ``"unlimited"`` lifts that. What runs goes on. Returns what is told of the group then. Raises
        ``InvalidLimit``.
        """
        given = {
            "concurrency": concurrency, "rate": rate, "weight": weight, "max_waiting": max_waiting, "order": order,
            "breaker": breaker,
        }  # fmt: skip
        said = await tell(self._client, self.queue, self._scope, given, self.name, "group.limit")
        return said.told

    async def unlimit(self) -> None:
        """Take back all that was told of its limit."""
        await self.limit(concurrency=None, rate=None, weight=None, max_waiting=None, order=None, breaker=None)

    async def pause(
        self, reason: str = "", *, until: Duration | datetime | None = None, by: str = ""
    ) -> None:
        """Start no job of the group, whichever worker is free; what runs goes on, and its jobs are ``held``.

        ``until`` ends the pause by itself: a duration from now or an aware time to come. A pause that is there already
        is replaced. ``by`` says who asked for it. Raises ``UsageError`` for a time that cannot be.
        """
        self._refuse_every("paused")
        said = line("reason", reason), line("by", by) or actor()
        ends, groups = end_of(until), self._client.store.groups
        async for its in self._client.telling(self.queue):
            for name in its.names(self.queue):
                await groups.pause(name, self._scope, *said, ends)
        await self._note("group.pause", by, reason=reason, until=None if until is None else str(until))

    async def resume(self) -> bool:
        """End its pause. Returns whether there was one."""
        self._refuse_every("resumed")
        groups = self._client.store.groups
        was_paused = False
        async for its in self._client.telling(self.queue):
            for name in its.names(self.queue):
                was_paused |= await groups.resume(name, self._scope)
        if was_paused:
            await self._note("group.resume")
        return was_paused

    async def status(self) -> GroupStatus:
        """How many of its jobs wait and are active, its limit and how much of it is used, and whether it is paused.

        A group that nobody has used yet has nothing that waits.
        """
        self._refuse_every("looked at")
        groups = self._client.store.groups
        return one_group(await each(lambda name: groups.status(name, self.name), await self._names()))

    async def _names(self) -> tuple[str, ...]:
        """The partitions of its queue: what is told of a group is told to all, as it may move."""
        return await self._client.partition_names(self.queue)

    def _refuse_every(self, done: str) -> None:
        if self.name in EVERY:
            raise InvalidLimit(
                "group", f"{self.name!r} stands for every group of a level, and cannot be {done}: name one"
            )

    async def _note(self, action: str, by: str = "", **details: Any) -> None:
        await note(self._client, self.queue, action, self.name, by, **details)


async def limit_queue(client: Client, queue: str, task: str | None, given: Mapping[str, Any]) -> Told:
    """Tell the limit of a queue, or of a task in it: see ``Queue.limit``."""
    return await tell(client, queue, scope_of_task(task), given, task or "", "queue.limit")


async def tell(
    client: Client, queue: str, scope: str, given: Mapping[str, Any], subject: str, action: str
) -> Told:
    """Tell those parts of the limit of a scope that are given."""
    parts = {name: checked(name, value) for name, value in given.items() if value is not UNSAID}
    if not parts:
        raise InvalidLimit("limit", f"say what is limited: {', '.join(given)}")
    told = NOT_TOLD
    async for its in client.telling(queue):
        for name in reversed(its.names(queue)):
            told = await client.store.groups.limit(name, scope, parts)
            client.store.producers.plain.forget(name)
    said: dict[str, Any] = {name: "none" if value is None else str(value) for name, value in parts.items()}
    await note(client, queue, action, subject, **said)
    return told


def end_of(until: Duration | datetime | None) -> str:
    """The end of a pause as a due time; empty for none. Raises ``UsageError``."""
    ends = "" if until is None else moment("until", until)
    if isinstance(until, datetime) and until <= host_now():
        given = rfc3339(until.astimezone(UTC))
        raise UsageError(f"until={given} is in the past, so nothing would be paused: give a time to come")
    return ends
