"""The keys: the index of deliveries of each queue, its unique keys, and the set of the names of all queues."""

from __future__ import annotations

from collections import Counter
from typing import Final

from streamq.doctor.finding import Finding, Patient
from streamq.errors import ConfigurationError, Rejected
from streamq.model.places import queue_of
from streamq.model.shown import shown as shown_text
from streamq.model.typed import quoted

SHORT = 100
"""Bytes of a name that is printed as part of a command: a longer one would hide the rest."""


async def look(patient: Patient) -> list[Finding]:
    """Active jobs that no known worker has; with ``repair`` they wait again."""
    findings = []
    for queue in await patient.app.queues():
        try:
            finding = await _of_queue(patient, queue)
        except (Rejected, ConfigurationError) as error:  # this queue's: the others are looked at all the same
            remedy = "look at the keys of this queue"
            findings.append(Finding("index", "index-unreadable", "fail", f"{queue}: {error}", remedy))
            continue
        if finding:
            findings.append(finding)
    return findings


async def _of_queue(patient: Patient, queue: str) -> Finding | None:
    recovery, stranded, unlisted = patient.app.client.store.recovery, 0, set[str]()
    for name in await patient.app.client.partition_names(queue):
        workers = await _unlisted(patient, name)
        unlisted.update(workers)
        if patient.repair:
            stranded += await recovery.audit(patient.links, name)
            for worker in workers:
                await recovery.reclaim(patient.links, name, worker, None)
    if patient.repair and (stranded or unlisted):
        said = f"{queue}: {stranded} stranded jobs and those of {len(unlisted)} unknown workers wait again"
        return Finding("index", "index-repaired", "warn", said, "nothing more: it was repaired")
    if unlisted:
        said = f"{queue}: jobs are active under unknown workers: {', '.join(sorted(unlisted))}"
        remedy = "an auditor repairs it within two minutes; or use --repair"
        return Finding("index", "unknown-holders", "fail", said, remedy)
    return None


async def _unlisted(patient: Patient, queue: str) -> list[str]:
    """Consumers that are on no list and have no connection: a living worker registers again."""
    unlisted = await patient.app.client.store.recovery.unlisted(patient.links, queue)
    if not unlisted:
        return []
    try:
        names = await patient.app.client.store.workers.client_names(patient.links)
    except Rejected:
        return unlisted
    return [name for name in unlisted if name not in names]


async def look_at_keys(patient: Patient) -> list[Finding]:
    """Unique keys whose jobs are gone, and held jobs that nothing holds; with ``repair`` they are mended."""
    findings = []
    for queue in await patient.partitions():
        try:
            wrong = await patient.app.client.store.unique.compare(queue, mend=patient.repair)
        except (Rejected, ConfigurationError):  # the check of the index says why
            continue
        if not any(wrong):
            continue
        counts = Counter(what for what, _, _ in wrong.keys) + Counter(forgotten=len(wrong.held))
        told = [_WRONG[what].format(count) for what, count in counts.items() if count]
        shown = [shown_text(key) for _, key, _ in wrong.keys[:5]] + wrong.held[:5]
        said = f"{queue_of(queue)}: {'; '.join(told)} ({', '.join(shown)})"
        if patient.repair:
            remedy = "nothing more: it was repaired"
            findings.append(Finding("unique", "keys-mended", "warn", said, remedy))
        else:
            remedy = "use --repair; somebody has deleted jobs or keys by hand"
            findings.append(Finding("unique", "keys-left", "fail", said, remedy))
    return findings


_WRONG: Final = {
    "gone": "{} unique keys are taken by jobs that are gone",
    "lost": "{} jobs that should follow another of their unique key are gone",
    "endless": "{} windows of unique keys would never end",
    "unreadable": "{} unique keys have a value that cannot be read",
    "forgotten": "{} held jobs are held by nothing",
}
"""What is wrong with unique keys and held jobs, for people."""


async def look_at_accounts(patient: Patient) -> list[Finding]:
    """Slots and lines of the gate that are not what the jobs of a queue are; with ``repair`` they are mended."""
    findings = []
    for queue in await patient.partitions():
        try:
            wrong = await patient.app.client.store.accounts.compare(patient.links, queue, mend=patient.repair)
        except (Rejected, ConfigurationError) as error:
            said = f"{queue_of(queue)}: the accounts of its gate cannot be read: {error}"
            findings.append(
                Finding("accounts", "accounts-unreadable", "fail", said, "look at the keys of this queue")
            )
            continue
        wrong.held = 0  # the check of unique keys tells of these
        if wrong and patient.repair:
            remedy = "nothing more: it was repaired"
            findings.append(
                Finding("accounts", "accounts-mended", "warn", f"{queue_of(queue)}: {wrong}", remedy)
            )
        elif wrong:
            remedy = "an auditor mends it within minutes; or use --repair"
            findings.append(
                Finding("accounts", "accounts-wrong", "fail", f"{queue_of(queue)}: {wrong}", remedy)
            )
    return findings


async def look_at_names(patient: Patient) -> list[Finding]:
    """Members of the set of queues that are no valid names; with ``repair`` they are removed."""
    _, invalid = await patient.app.client.store.queues.names_and_invalid()
    if not invalid:
        return []
    key, ordered = patient.app.client.store.shared.queues, sorted(invalid)
    listed = ", ".join(_printed(name[:SHORT]) + ("…" if len(name) > SHORT else "") for name in ordered[:5])
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    said = f"members of {key} cannot name a queue, and are left out: {listed}{more}"
    if patient.repair:
        await patient.app.client.store.queues.strike(*ordered)
        return [
            Finding("names", "names-removed", "warn", f"{said}; removed", "nothing more: it was repaired")
        ]
    words = [
        quoted(name.decode("utf-8", "surrogateescape"))
        for name in ordered[:5] if len(name) <= SHORT and b"\0" not in name  # nothing of a shell can have a zero byte
    ]  # fmt: skip
    remedy = f"redis-cli SREM {' '.join([quoted(key), *words])}; or use --repair" if words else "use --repair"
    return [Finding("names", "names-strange", "warn", said, remedy)]


def _printed(name: bytes) -> str:
    """A name as ``redis-cli`` prints it."""
    plain = (
        chr(byte) if 0x20 <= byte < 0x7F and chr(byte) not in '"\\' else f"\\x{byte:02x}" for byte in name
    )
    return '"' + "".join(plain) + '"'
