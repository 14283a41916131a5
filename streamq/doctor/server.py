"""The server itself: version, persistence, eviction, memory, clock, and the rights of our user."""

from __future__ import annotations

from typing import Final

from streamq.doctor.finding import Finding, Patient, Verdict
from streamq.embedded.binary import OLDEST
from streamq.errors import Rejected
from streamq.model.clock import host_now, to_ms
from streamq.model.server_state import NO_EVICTION, state_of
from streamq.redis.replies import product_of
from streamq.store.server import ALL_KEYS

CLOCKS_APART: Final = 5.0
"""Seconds between this host's clock and the server's that give a warning: synchronized clocks differ by far less."""
ROOM: Final = 0.85
"""Share of maxmemory from which on there is a warning: early enough to act before jobs are refused."""


def version_in(text: str) -> tuple[int, ...]:
    """A version as numbers; a part that is no number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in text.partition("-")[0].split("."))


async def look(patient: Patient) -> list[Finding]:
    """All of it. Where our user may not call INFO, one finding says so instead."""
    info = patient.info
    findings = (
        [_version(info), _persistence(info), _eviction(info), _memory(info)]
        if info
        else [Finding("server", "unasked", "warn", "this user may not run INFO", "allow +info")]
    )
    return [*findings, await _clock(patient), *await _rights(patient)]


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


async def _rights(patient: Patient) -> list[Finding]:
    """Missing rights by name: without the first kind nothing works; without the second some things are late."""
    store = patient.app.client.store
    missing, late = await store.server.missing_rights(), await store.server.missing_rights_of_use()
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
    findings += await _clients(patient)
    return findings or [Finding("rights", "rights", "ok", "may run every command, and list clients")]


async def _missing(patient: Patient, code: str, verdict: Verdict, names: set[str], why: str) -> Finding:
    listed = ", ".join(sorted(names))
    rules = " ".join(f"+{name.lower()}" for name in sorted(names))
    if names & {"PUBLISH", "SUBSCRIBE"}:  # also refused when the channels are not allowed
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
