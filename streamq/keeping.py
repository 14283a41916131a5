"""What is kept of a queue: how many records, and whether the queue itself stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streamq.audited import note
from streamq.client.client import Client
from streamq.errors import UsageError
from streamq.model.job_record import Counts
from streamq.model.moving import LEFT
from streamq.model.retention import TASK, UNSAID, field_of, written
from streamq.model.shown import as_given
from streamq.noun_errors import QueueInUse, QueueNotEmpty
from streamq.options import KEEPING, kept_of


async def keep(client: Client, queue: str, task: str | None, told: Mapping[str, Any]) -> None:
    """Tell a queue, or of a task in it, what is kept: see ``Queue.keep``."""
    for name, value in told.items():
        if value is not None and (problem := KEEPING[name].wrong(value)):
            raise UsageError(problem)
    if not told:
        return
    kept, store = kept_of(told), client.store.retention
    if task is None:
        fields: dict[str, Any] = {name: field_of(name, getattr(kept, name)) for name in told}
    else:
        before = await store.told_of(queue, task)
        now = replace(before, **{name: getattr(kept, name) for name in told})
        fields = {TASK + task: b"" if now == UNSAID else written(now)}
    async for its in client.telling(queue):
        if not all([await store.tell(name, fields) for name in its.names(queue)]):
            raise UsageError(f"queue {queue!r} was told of as many tasks as may be: take some back")
    said: dict[str, Any] = {name: "default" if value is None else str(value) for name, value in told.items()}
    await note(client, queue, "queue.retention", task or "", **said)


async def remove(client: Client, queue: str, *, purge: bool) -> None:
    """Remove a queue: see ``Queue.remove``."""
    if not isinstance(purge, bool):
        raise UsageError(
            f"purge={as_given(purge)} is not possible: use True to delete all that is in it, or False"
        )
    store, its = client.store, await client.store.partition.settled_or_moving(queue)
    names = its.names(queue)
    serving = {info.name for info in await store.workers.listed() if not set(info.queues).isdisjoint(names)}
    for name in names:
        serving |= {*await store.workers.named(name)}
    if serving:
        raise QueueInUse(queue, sorted(serving))
    has_left = (
        await store.migrations.state(queue)
    ).phase == LEFT  # then only texts are there that say where to
    if not (purge or has_left) and len(names) > 1:  # none of them is removed where another cannot be
        there = sum([await store.queues.counts(name) for name in names], Counts()).asdict()
        _refuse(queue, {**there, "schedules": sum([await store.schedules.count(name) for name in names])})
    for name in names:
        await _remove(client, queue, name, purge=purge and not has_left)
    await store.partition.disown(queue)
    await note(client, queue, "queue.remove", is_gone=True, purge=purge or None)


async def _remove(client: Client, queue: str, name: str, *, purge: bool) -> None:
    """Remove one partition of it."""
    store = client.store
    if purge:
        await store.schedules.remove_all(name)
    in_the_way = await store.queues.remove(name, purge=purge)
    store.producers.forget_queue(name)
    await store.shared_limits.forget_queue(name)
    if in_the_way == "workers":  # one came meanwhile
        raise QueueInUse(queue, await store.workers.named(name))
    if in_the_way:
        counts = (await store.queues.counts(name)).asdict()
        _refuse(queue, {**counts, "schedules": await store.schedules.count(name)}, always=True)


def _refuse(queue: str, counts: Mapping[str, int], *, always: bool = False) -> None:
    if always or any(counts.values()):
        raise QueueNotEmpty(queue, counts)
