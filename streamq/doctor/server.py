"""The server itself: version, persistence, eviction, memory, clock, and the rights of our user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from streamq.doctor.finding import Finding, Patient, Verdict
from streamq.embedded.binary import OLDEST
from streamq.errors import Rejected
from streamq.model.clock import host_now, to_ms
from streamq.model.server_state import NO_EVICTION, state_of
from streamq.model.slots import SLOTS
from streamq.redis.replies import product_of
from streamq.redis.server import Server
from streamq.store.server import ALL_KEYS

CLOCKS_APART: Final = 5.0
"""Seconds between this host's clock and the server's that give a warning: synchronized clocks differ by far less."""
ROOM: Final = 0.85
"""Share of maxmemory from which on there is a warning: early enough to act before jobs are refused."""


def version_in(text: str) -> tuple[int, ...]:
    """A version as numbers; a part that is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in text.partition("-")[0].split("."))


async def look(patient: Patient) -> list[Finding]:
    """All of it, of each server. Where our user may not call INFO, one finding says so instead."""
    servers = [*patient.infos] or [patient.app.client.store.servers.home]
    told = [[*_of_info(patient.infos.get(each, {})), *await _rights(patient, each)] for each in servers]
    findings = told[0] if len(told) == 1 else _of_nodes(servers, told)
    return [*findings, await _clock(patient), *await _clients(patient)]


def _of_info(info: dict[str, str]) -> list[Finding]:
    if not info:
        return [Finding("server", "unasked", "warn", "this user may not run INFO", "allow +info")]
    return [_version(info), _persistence(info), _eviction(info), _memory(info)]


def _of_nodes(servers: Sequence[Server], told: Sequence[list[Finding]]) -> list[Finding]:
    """What is so of all nodes once, and the rest with the name of its node."""
    alike = [finding for finding in told[0] if all(finding in each for each in told[1:])]
    return alike + [
        replace(finding, said=f"{server.names[0]}: {finding.said}")
        for server, findings in zip(servers, told, strict=True)
        for finding in findings
        if finding not in alike
    ]


async def look_at_slots(patient: Patient) -> list[Finding]:
    """Whether a cluster serves all of its slots, by what a node says that answers."""
    served = await patient.app.client.store.server.slots(next(iter(patient.reached.values())))
    if served is None:
        return []
    if served == SLOTS:
        return [Finding("slots", "slots", "ok", f"all {SLOTS} slots are served")]
    remedy = "let each slot have a primary that the others reach: CLUSTER SHARDS says which has one"
    said = f"{served} of {SLOTS} slots are served: the queues of the others take no jobs and have none run"
    return [Finding("slots", "slots-missing", "fail", said, remedy)]


def _version(info: dict[str, str]) -> Finding:
    name, text = product_of(info)
    if version_in(text)[:2] < OLDEST:
        remedy = "use Redis 7.0 or Valkey 7.2, or newer"
        return Finding("version", "too-old", "fail", f"{name} {text} is too old", remedy)
    return Finding("version", "version", "ok", f"{name} {text}")


def _persistence(info: dict[str, str]) -> Finding:
    persistence = state_of(info).persistence
    if persistence in (None, "off"):
        remedy = "set appendonly yes: without it a restart loses every job since the last snapshot"
        return Finding("persistence", "aof-off", "warn", "the append-only file is off", remedy)
    if persistence == "failing":
        said = "the append-only file cannot be written"
        return Finding("persistence", "aof-unwritable", "fail", said, "look at the server's disk")
    return Finding("persistence", "aof-on", "ok", "the append-only file is on")


def _eviction(info: dict[str, str]) -> Finding:
    policy = state_of(info).eviction_policy or NO_EVICTION
    if policy != NO_EVICTION:
        said = f"maxmemory-policy is {policy}: jobs may vanish"
        return Finding("eviction", "evicts", "fail", said, "set it to noeviction")
    return Finding("eviction", "no-eviction", "ok", f"maxmemory-policy is {NO_EVICTION}")


def _memory(info: dict[str, str]) -> Finding:
    state = state_of(info)
    used, maximum = state.memory, state.memory_limit
    said = f"{used / 2**20:.0f} MiB used" + (f" of {maximum / 2**20:.0f} MiB" if maximum else "")
    if maximum and used > ROOM * maximum:
        remedy = "raise maxmemory or shorten the retention: new jobs are refused soon"
        return Finding("memory", "nearly-full", "warn", said, remedy)
    return Finding("memory", "memory", "ok", said)


async def _clock(patient: Patient) -> Finding:
    store = patient.app.client.store
    await store.server.read_clock()
    apart = (store.clock.now() - to_ms(host_now())) / 1000
    if abs(apart) > CLOCKS_APART:
        said = f"this host's clock and the server's are {apart:+.0f} s apart"
        remedy = "due times follow the server's; correct the clock that is wrong"
        return Finding("clock", "clocks-apart", "warn", said, remedy)
    return Finding("clock", "clock", "ok", f"the clocks are {apart * 1000:+.0f} ms apart")


# -- rights --------------------------------------------------------------------------------------------------


async def _rights(patient: Patient, server: Server) -> list[Finding]:
    """Missing rights by name: without the first kind nothing works; without the second some things are late."""
    store = patient.app.client.store
    missing = await store.server.missing_rights(server)
    late = await store.server.missing_rights_of_use(server)
    findings = []
    if missing >= ALL_KEYS:
        pattern = f"{store.settings.prefix}:*"
        remedy = f"allow the keys to it: ACL SETUSER {await whoami(patient)} ~{pattern}"
        findings.append(
            Finding("rights", "keys-missing", "fail", f"this user may not touch the keys {pattern}", remedy)
        )
    elif missing:
        findings.append(await _missing(patient, "right-missing", "fail", missing, "nothing works without it"))
    if late:
        findings.append(
            await _missing(
                patient, "right-of-use-missing", "warn", late, "without it results and due jobs come late"
            )
        )
    return findings or [Finding("rights", "rights", "ok", "may run every command that is needed")]


async def _missing(patient: Patient, code: str, verdict: Verdict, names: set[str], why: str) -> Finding:
    listed = ", ".join(sorted(names))
    rules = " ".join(f"+{name.lower()}" for name in sorted(names))
    if names & {
        "PUBLISH",
        "SUBSCRIBE",
        "SPUBLISH",
        "SSUBSCRIBE",
    }:  # also refused when the channels are not allowed
        rules += f" '&{patient.app.settings.prefix}:*'"
    remedy = f"ACL SETUSER {await whoami(patient)} {rules}; {why}"
    return Finding("rights", code, verdict, f"this user may not run {listed}", remedy)


async def whoami(patient: Patient) -> str:
    """The name of our user, or of the settings where it may not ask, or a placeholder."""
    user = await patient.app.client.store.server.user()
    return user or patient.app.settings.redis_username or "NAME"


async def _clients(patient: Patient) -> list[Finding]:
    try:
        await patient.app.client.store.workers.client_names(patient.links)
    except Rejected:
        said = "may not list clients: a killed worker is found by its lease alone"
        return [
            Finding(
                "rights", "no-client-list", "warn", said, "allow +client|list to recover within two seconds"
            )
        ]
    return []
