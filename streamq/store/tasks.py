"""Tasks: what workers publish of those that they know, for clients that do not have their code."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from streamq.errors import Rejected, StreamqError
from streamq.model.served_task import ServedTask, parse_task, written
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.redis.thread_links import ThreadLinks
from streamq.store.access import Access
from streamq.store.workers import UNREADABLE, Workers

log = logging.getLogger("streamq.store")


class Tasks:
    """Commands: workers publish their tasks. Queries: all of them, with how many workers serve each."""

    def __init__(self, access: Access, workers: Workers) -> None:
        self._access, self._workers = access, workers

    # -- commands -------------------------------------------------------------------------------------------

    async def publish(self, links: Links, tasks: Sequence[ServedTask]) -> None:
        """Write these, and take off the list those that no worker knows any more. What is refused is logged.

        Where another that begins takes some of them off meanwhile, ``publish_again`` writes them.
        """
        key = self._access.shared.tasks
        try:
            if tasks:
                await links.home.call("HSET", key, *_parts(tasks))
            fields = await links.home.call("HKEYS", key)
            workers = await self._workers.listed(links)
            known = {
                _field(name, queue) for each in workers for name in each.tasks or () for queue in each.queues
            }
            known |= {_field(task.name, task.queue) for task in tasks}
            gone = [field for field in fields if field not in known]
            if gone and all(worker.tasks is not None for worker in workers):
                await links.home.call("HDEL", key, *gone)
        except Rejected as error:
            log.warning("the tasks cannot be published: %s", error)

    def publish_again(self, links: ThreadLinks, tasks: Sequence[ServedTask]) -> None:
        """Write those that are missing, from the worker's own thread: the server may have lost them."""
        key = self._access.shared.tasks
        (had,) = links.home.batch(("HKEYS", key))
        if isinstance(had, StreamqError):
            return
        missing = [task for task in tasks if _field(task.name, task.queue) not in had]
        if missing:
            links.home.batch(("HSET", key, *_parts(missing)))

    # -- queries --------------------------------------------------------------------------------------------

    async def listed(self) -> list[ServedTask]:
        """All, by name and queue; one that this version cannot read is left out."""
        async with self._access.pool.links() as links:
            said = await links.home.call("HGETALL", self._access.shared.tasks)
            workers = await self._workers.listed(links)
        read = (_read(field, raw) for field, raw in pairs(said).items())
        # an earlier version wrote each under its name alone
        found = {(task.name, task.queue): task.counted(workers) for task in read if task}
        return [found[key] for key in sorted(found)]


def _field(task: str, queue: str) -> bytes:
    """Tasks of one name may be in several queues, and are others."""
    return f"{task}\n{queue}".encode("utf-8", "replace")


def _parts(tasks: Iterable[ServedTask]) -> list[Any]:
    return [part for task in tasks for part in (_field(task.name, task.queue), written(task))]


def _read(field: bytes, raw: bytes) -> ServedTask | None:
    try:
        return parse_task(field.decode().partition("\n")[0], raw)
    except UNREADABLE as error:
        log.debug("task %s cannot be read (%s): it is left out", field.decode("utf-8", "replace"), error)
        return None
