"""Recovery: the jobs of a lost worker wait again; one way for all that find a worker lost."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from streamq import job_lines
from streamq.model.places import SEPARATOR, queue_of, shown_id
from streamq.model.shown import shown
from streamq.redis.links import Links
from streamq.store.recovery import Reclaimed
from streamq.store.store import Store

log = logging.getLogger("streamq.reclaimer")

GRACE: Final = 0.55
"""Seconds a worker may be without any connection: its heartbeat tries to reconnect twice within that
(``heartbeat.WATCH``), and a fetcher more often."""


async def recover(
    store: Store, links: Links, queue: str, worker: str, beats: bytes | None, why: str
) -> Reclaimed:
    """Give back a lost worker's jobs on a queue, and log what became of them.

    Nothing happens when it has beaten since ``beats`` was read. ``None``: its end is known, and in the log already.
    """
    done = await store.recovery.reclaim(links, queue, worker, beats)
    is_lost = beats is not None and not done.beaten
    if done.jobs or (is_lost and SEPARATOR not in queue):  # that there was no job is told once
        parts = len(store.partition.known_of_each([queue_of(queue)]))
        _report(queue, worker, done, why, "had no job of" if parts == 1 else "served")
    return done


async def forget(store: Store, links: Links, worker: str, queues: Sequence[str], token: str = "") -> None:
    """Take a lost worker off the list of workers and out of its seats; with ``token`` only while it is that one."""
    await store.workers.forget(worker, token)
    await store.seats.vacate(links, queues, worker)


def _report(queue: str, worker: str, done: Reclaimed, why: str, otherwise: str) -> None:
    """One line for the log with the ids of the first jobs, and one for each of them that has failed by this.

    ``otherwise`` is what it did with the queue, where none of its jobs is left there.
    """
    name, ids = queue_of(queue), ", ".join(shown_id(queue, job) for job, _, _ in done.first)
    more = "" if len(done.first) == done.jobs else ", ..."
    fates = {
        "start again": done.again,
        "start again alone": done.suspects,
        "failed by crashing too often": done.failed,
        "end as cancelled": done.cancelled,
    }
    said = ", ".join(f"{count} {fate}" for fate, count in fates.items() if count)
    had = f"of its jobs on {name} {said}: {ids}{more}" if said else f"it {otherwise} {name}"
    log.warning("worker %s is lost (%s): %s", shown(worker, 100), why, had)
    for job, fate, task in done.first:
        if fate == "failed":
            why = "its worker was lost too often while it ran"
            job_lines.failed_for_good(shown_id(queue, job), name, worker, "Crashed", why, task=task)
