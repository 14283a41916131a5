"""A worker's identity: a name that no other living worker has, and its description.

The name is also that of its consumer in the group, so two workers of one name would each treat the other's jobs as
their own. It is claimed with a token before the first job is fetched, and again with each registration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import re
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final

from streamq.errors import ConfigurationError, NameTaken, Rejected
from streamq.liveness import host
from streamq.liveness.recovery import GRACE, recover
from streamq.model.clock import host_now
from streamq.model.names import NAME_FORM, is_name
from streamq.model.shown import as_given
from streamq.model.worker_info import WorkerInfo
from streamq.redis.links import Links
from streamq.settings import Settings
from streamq.store.store import Store
from streamq.store.workers import UNREADABLE, parse_worker

log = logging.getLogger("streamq.identity")

TOLD: Final = 500
"""Tasks at most that a worker says it knows: with long names 50 KB, which whoever lists the workers reads."""
HOST_LENGTH: Final = 24
"""Characters of the host's name in a worker's name, which has 64 at most with process id and random part."""


def new_name() -> str:
    """Host, process id and 32 random bits: a process id is reused, and pods may share a host name."""
    own = re.sub(r"[^A-Za-z0-9_-]", "", platform.node().partition(".")[0])[:HOST_LENGTH]
    return f"{own or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"


def checked_name(name: str) -> str:
    """The name, when it can name a worker. Raises ``ConfigurationError``."""
    if not is_name(name):
        raise ConfigurationError(f"{as_given(name)} cannot name a worker: {NAME_FORM}")
    return name


def describe(
    name: str, queues: tuple[str, ...], concurrency: int, settings: Settings, schedules: tuple[str, ...] = (),
    tasks: Mapping[str, int] | None = None,
) -> WorkerInfo:  # fmt: skip
    """The description of the worker of this process, whose app declares these schedules, with a new token.

    ``tasks`` are those that it knows, with the versions of their payloads; of too many it says none.
    """
    return WorkerInfo(
        name=name, host=platform.node(), pid=os.getpid(), queues=queues, concurrency=concurrency,
        started_at=host_now(), version=version("streamq"), token=secrets.token_hex(8), lease=settings.lease,
        beat=settings.beat, stuck=settings.stuck, host_id=host.host_id(), process_start=host.own_start(),
        schedules=schedules, tasks=tasks if tasks is not None and len(tasks) <= TOLD else None,
    )  # fmt: skip


def taken(name: str, entry: bytes) -> NameTaken:
    """The error for a name that another has, from the other's entry."""
    other = _read(name, entry)
    return NameTaken(name, f"process {other.pid} on {other.host}" if other else "of another version")


async def claim(store: Store, info: WorkerInfo) -> None:
    """Claim the name. That of a dead worker is taken over, once its jobs are given back.

    Raises ``NameTaken`` when a living worker has it.
    """
    links = store.links()
    try:
        while entry := await store.workers.introduce(links, info):
            await _take_over(store, links, info, entry)
    finally:
        await links.close()


async def _take_over(store: Store, links: Links, info: WorkerInfo, entry: bytes) -> None:
    """Take over from the worker of the entry, if it is dead: no connection, and no beat."""
    other = _read(info.name, entry)
    queues = sorted({*info.queues, *(other.queues if other else ())})
    seen = await store.workers.beats(links, queues)
    if not await _silent(store, links, info.name, other):
        raise taken(info.name, entry)
    for queue in queues:
        if (count := seen[queue].get(info.name)) is not None:
            done = await recover(store, links, queue, info.name, count, "another begins under its name")
            if done.beaten:
                raise taken(info.name, entry)
    await store.workers.forget(info.name, entry=entry)


async def _silent(store: Store, links: Links, name: str, other: WorkerInfo | None) -> bool:
    """Whether nobody is connected under the name, after a moment in which it could have connected again."""
    try:
        await asyncio.sleep(GRACE)
        return name not in await store.workers.client_names(links)
    except Rejected:  # without the right to ask only a lease without a beat shows it
        lease = max(store.settings.lease, other.lease if other else 0.0)
        log.warning(
            "the name %s is on the list of workers: waiting %.0f s for a beat of its holder", name, lease
        )
        await asyncio.sleep(lease)
        return True


def _read(name: str, entry: bytes) -> WorkerInfo | None:
    try:
        return parse_worker(name.encode(), entry)
    except UNREADABLE:
        return None
