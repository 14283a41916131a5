"""What is kept of a queue: how many records, and whether the queue itself stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from streamq.audited import note
from streamq.client.client import Client
from streamq.errors import UsageError
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
    if not await store.tell(queue, fields):
        raise UsageError(f"queue {queue!r} was told of as many tasks as may be: take some back")
    said: dict[str, Any] = {name: "default" if value is None else str(value) for name, value in told.items()}
    await note(client, queue, "queue.retention", task or "", **said)


async def remove(client: Client, queue: str, *, purge: bool) -> None:
    """Remove a queue: see ``Queue.remove``."""
    if not isinstance(purge, bool):
        raise UsageError(
            f"purge={as_given(purge)} is not possible: use True to delete all that is in it, or False"
        )
    store = client.store
    serving = {info.name for info in await store.workers.listed() if queue in info.queues}
    if serving := serving | {*await store.workers.named(queue)}:
        raise QueueInUse(queue, sorted(serving))
    if purge:
        await store.schedules.remove_all(queue)
    in_the_way = await store.queues.remove(queue, purge=purge)
    store.producers.forget_queue(queue)
    await store.shared_limits.forget_queue(queue)
    if in_the_way == "workers":  # one came meanwhile
        raise QueueInUse(queue, await store.workers.named(queue))
    if in_the_way:
        counts = (await store.queues.counts(queue)).asdict()
        raise QueueNotEmpty(queue, {**counts, "schedules": await store.schedules.count(queue)})
    await note(client, queue, "queue.remove", is_gone=True, purge=purge or None)
