"""The doctor: is this server fit for a queue, and is anything lost on it?"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from streamq.app import App
from streamq.clock import host_now, to_ms
from streamq.connection import Link
from streamq.errors import ConfigurationError, Rejected, StreamqError, Unavailable
from streamq.job import WorkerInfo
from streamq.worker.reclaimer import GRACE

log = logging.getLogger("streamq.doctor")

OLDEST: Final = (7, 0)
CLOCKS_APART: Final = 5.0
"""Seconds between this host's clock and the server's that are worth a word."""
ROOM: Final = 0.85
"""Share of maxmemory from which on it is worth a word."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``remedy`` is what to do, empty when nothing is."""

    check: str
    verdict: Literal["ok", "warn", "fail"]
    said: str
    remedy: str = ""


async def examine(app: App, *, repair: bool = False) -> list[Finding]:
    """Look at everything; an unreachable server is a finding too. ``repair`` gives back what is lost."""
    try:
        seconds = await app.ping()
    except Unavailable as error:
        return [
            Finding(
                "reachable", "fail", str(error), "start it with `streamq up`, or correct STREAMQ_REDIS_URL"
            )
        ]
    where = ", ".join(app.store.servers.names)
    findings = [Finding("reachable", "ok", f"{where} answers in {seconds * 1000:.1f} ms")]
    link = Link(app.store.servers, "streamq-doctor")
    try:
        info = await app.views.server_info()
        findings += [_version(info), _persistence(info), _eviction(info), _memory(info), await _clock(app)]
        findings.append(await _rights(app, link))
        findings += [finding async for finding in _lost(app, link, repair=repair)]
        findings += [*await _overdue(app), *await _unknown_tasks(app)]
        findings += [finding async for finding in _index(app, link, repair=repair)]
    finally:
        await link.close()
    return findings


def _version(info: dict[str, str]) -> Finding:
    name = "Valkey" if "valkey_version" in info else "Redis"
    text = info.get("valkey_version") or info.get("redis_version", "0")
    if tuple(int(part) for part in text.split(".")[:2]) < OLDEST:
        return Finding(
            "version", "fail", f"{name} {text} is too old", "use Redis 7.0 or Valkey 7.2, or newer"
        )
    return Finding("version", "ok", f"{name} {text}")


def _persistence(info: dict[str, str]) -> Finding:
    if info.get("aof_enabled") != "1":
        remedy = "set appendonly yes: without it a restart loses every job since the last snapshot"
        return Finding("persistence", "warn", "the append-only file is off", remedy)
    if info.get("aof_last_write_status", "ok") != "ok":
        return Finding(
            "persistence", "fail", "the append-only file cannot be written", "look at the server's disk"
        )
    return Finding("persistence", "ok", "the append-only file is on")


def _eviction(info: dict[str, str]) -> Finding:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return Finding(
            "eviction", "fail", f"maxmemory-policy is {policy}: jobs may vanish", "set it to noeviction"
        )
    return Finding("eviction", "ok", "maxmemory-policy is noeviction")


def _memory(info: dict[str, str]) -> Finding:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    said = (
        f"{used / 2**20:.0f} MiB used of {most / 2**20:.0f} MiB" if most else f"{used / 2**20:.0f} MiB used"
    )
    if most and used > ROOM * most:
        return Finding(
            "memory", "warn", said, "raise maxmemory or shorten the retention: new jobs are refused soon"
        )
    return Finding("memory", "ok", said)


async def _clock(app: App) -> Finding:
    await app.store.read_clock()
    apart = (app.store.clock.now() - to_ms(host_now())) / 1000
    if abs(apart) > CLOCKS_APART:
        said = f"this host's clock and the server's are {apart:+.0f} s apart"
        return Finding("clock", "warn", said, "due times follow the server's; mend the clock that is wrong")
    return Finding("clock", "ok", f"the clocks are {apart * 1000:+.0f} ms apart")


async def _rights(app: App, link: Link) -> Finding:
    try:
        await app.store.roster.client_names(link)
    except Rejected:
        said = "may not list clients: a killed worker is found by its lease alone"
        return Finding("rights", "warn", said, "allow +client|list to recover within two seconds")
    return Finding("rights", "ok", "may list clients")


async def _lost(app: App, link: Link, *, repair: bool) -> AsyncIterator[Finding]:
    workers = (
        await app.workers()
    )  # before the clients: one that registers in between has its connection by then
    queues = sorted({queue for worker in workers for queue in worker.queues})
    seen = await app.store.roster.beats_or_errors(link, queues) if queues else {}
    try:
        absent = await _absent(app, link, workers)
    except Rejected:
        return
    for worker in absent:
        said = f"{worker.name} ({', '.join(worker.queues)}) has no connection"
        if not repair:
            yield Finding("workers", "fail", said, "a worker or scheduler recovers it; or use --repair")
        elif await _recovered(app, link, worker, seen):
            yield Finding("workers", "warn", f"{said}; its jobs wait again")
    if not absent:
        yield Finding("workers", "ok", f"{len(workers)} registered, none lost")


async def _absent(app: App, link: Link, workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
    """Those without any connection, at two looks: one that has just lost its connection makes a new one."""
    for pause in (0.0, GRACE):
        if workers:
            await asyncio.sleep(pause)
            names = await app.store.roster.client_names(link)
            workers = [worker for worker in workers if worker.name not in names]
    return list(workers)


async def _recovered(
    app: App, link: Link, worker: WorkerInfo, seen: Mapping[str, Mapping[str, bytes] | StreamqError]
) -> bool:
    """Give the jobs of a lost worker back, unless it has beaten since it was seen."""
    for queue in worker.queues:
        beats = seen[queue]
        if isinstance(beats, StreamqError) or worker.name not in beats:
            continue
        if (await app.store.reclaim(link, queue, worker.name, beats[worker.name])).beaten:
            return False
    await app.store.roster.forget(worker.name, worker.token)
    return True


async def _overdue(app: App) -> list[Finding]:
    """Handlers that could not be ended at their time limit, and take a slot."""
    findings = []
    for worker in await app.workers():
        if worker.overdue:
            named = ", ".join(
                f"{handler.task!r} (job {handler.job} on {handler.queue})" for handler in worker.overdue[:5]
            )
            more = f" and {len(worker.overdue) - 5} more" if len(worker.overdue) > 5 else ""
            said = (
                f"{worker.name}: {len(worker.overdue)} of {worker.concurrency} slots are taken by handlers that "
                f"run past their time limit: {named}{more}"
            )
            remedy = "give what they wait for a time limit of its own; restart the worker to end them"
            findings.append(Finding("handlers", "warn", said, remedy))
    return findings


async def _unknown_tasks(app: App) -> list[Finding]:
    """Jobs whose tasks no worker has known so far."""
    findings = []
    for queue in await app.queues():
        counts = await app.views.unknown_tasks(queue)
        if counts:
            listed = ", ".join(
                f"{count} of {task[:100]!r}"
                for task, count in sorted(counts.items(), key=lambda item: -item[1])[:10]
            )
            said = f"{queue}: jobs wait for a worker that knows their task: {listed}"
            remedy = "start a worker that declares it; after STREAMQ_UNKNOWN_TASK_FOR seconds they are failed"
            findings.append(Finding("tasks", "warn", said, remedy))
    return findings


async def _index(app: App, link: Link, *, repair: bool) -> AsyncIterator[Finding]:
    for queue in await app.queues():
        try:
            finding = await _index_of(app, link, queue, repair=repair)
        except (Rejected, ConfigurationError) as error:  # this queue's: the others are looked at all the same
            yield Finding("index", "fail", f"{queue}: {error}", "look at the keys of this queue")
            continue
        if finding:
            yield finding


async def _index_of(app: App, link: Link, queue: str, *, repair: bool) -> Finding | None:
    unlisted = await _unlisted(app, link, queue)
    if repair:
        stranded = await app.store.audit(link, queue)
        for name in unlisted:
            await app.store.reclaim(link, queue, name, None)
        if stranded or unlisted:
            said = f"{queue}: {stranded} stranded jobs and {len(unlisted)} unknown holders repaired"
            return Finding("index", "warn", said)
    elif unlisted:
        said = f"{queue}: jobs are held by unknown workers: {', '.join(unlisted)}"
        return Finding("index", "fail", said, "an auditor repairs it within two minutes; or use --repair")
    return None


async def _unlisted(app: App, link: Link, queue: str) -> list[str]:
    """Holders that are on no list and have no connection: a living one puts itself on the list again."""
    unlisted = await app.store.unlisted(link, queue)
    if not unlisted:
        return []
    try:
        names = await app.store.roster.client_names(link)
    except Rejected:
        return unlisted
    return [name for name in unlisted if name not in names]
