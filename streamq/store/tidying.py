"""Tidying: jobs of tasks that have a retention of their own have ended, and what is too much of them is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Final

from streamq.errors import StreamqError
from streamq.model import record
from streamq.model.outcomes import COMPLETED, MARKS
from streamq.model.retention import Retention
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.retention import tidy_call

log = logging.getLogger("streamq.store")

AT_ONCE: Final = 100
"""Jobs that one call takes: with a list of 1,000 to look in for each, a millisecond of the server's time."""

Ended = tuple[str, str, bytes]
"""Kind, id and record of a job that has ended."""


async def tidy(access: Access, links: Links, queue: str, ended: Sequence[Ended]) -> None:
    """Keep of the tasks of these jobs as much as each is told to. Where that fails the queue's own retention holds."""
    told = access.retentions.get(queue)
    if told is None or not told.tasks:
        return
    calls = [
        tidy_call(access, queue, task, told.tasks[task], ids, is_completed=is_completed)
        for task, is_completed, ids in _by_task(told, ended)
    ]
    try:
        replies = await scripts.TIDY.run_each(links.of(queue), calls)
        problem = next((reply for reply in replies if isinstance(reply, StreamqError)), None)
    except StreamqError as error:
        problem = error
    if problem is not None:
        log.warning("some records of %s stay for as long as those of the whole queue: %s", queue, problem)


def _by_task(told: Retention, ended: Sequence[Ended]) -> Iterator[tuple[str, bool, list[str]]]:
    found: dict[tuple[str, bool], list[str]] = {}
    for kind, job_id, body in ended:
        if kind in MARKS and (task := record.read(body).task.decode("utf-8", "replace")) in told.tasks:
            found.setdefault((task, kind == COMPLETED), []).append(job_id)
    for (task, is_completed), ids in found.items():
        for at in range(0, len(ids), AT_ONCE):
            yield task, is_completed, ids[at : at + AT_ONCE]
