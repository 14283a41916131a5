"""The doctor: is this server fit for a queue, and is anything lost on it?"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

from streamq.app import App
from streamq.clock import host_now, to_ms
from streamq.connection import Link
from streamq.errors import Rejected, Unavailable

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
        await app.store.client_names(link)
    except Rejected:
        said = "may not list clients: a killed worker is found by its lease alone"
        return Finding("rights", "warn", said, "allow +client|list to recover within two seconds")
    return Finding("rights", "ok", "may list clients")


async def _lost(app: App, link: Link, *, repair: bool) -> AsyncIterator[Finding]:
    try:
        names = await app.store.client_names(link)
    except Rejected:
        return
    lost = 0
    for worker in await app.workers():
        if worker.name in names:
            continue
        lost += 1
        said = f"{worker.name} ({', '.join(worker.queues)}) has no connection"
        if repair:
            for queue in worker.queues:
                await app.store.reclaim(link, queue, worker.name, None)
            await app.store.forget(worker.name)
            yield Finding("workers", "warn", f"{said}; its jobs wait again")
        else:
            yield Finding("workers", "fail", said, "a worker or scheduler recovers it; or use --repair")
    if not lost:
        yield Finding("workers", "ok", f"{len(await app.workers())} registered, none lost")


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
        unlisted = await app.store.unlisted(link, queue)
        if repair:
            stranded = await app.store.audit(link, queue)
            for name in unlisted:
                await app.store.reclaim(link, queue, name, None)
            if stranded or unlisted:
                yield Finding(
                    "index",
                    "warn",
                    f"{queue}: {stranded} stranded jobs and {len(unlisted)} unknown holders repaired",
                )
        elif unlisted:
            said = f"{queue}: jobs are held by unknown workers: {', '.join(unlisted)}"
            yield Finding("index", "fail", said, "an auditor repairs it within two minutes; or use --repair")
