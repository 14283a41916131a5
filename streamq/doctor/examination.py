"""The examination: all checks, one after another. One that fails is a finding, and stops no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from streamq.app import App
from streamq.doctor import doors, holes, index, keys, schedules, server, work
from streamq.doctor.addresses import findings_of, look_at_each
from streamq.doctor.causes import cause_of
from streamq.doctor.finding import Finding, Patient
from streamq.errors import StreamqError

_LOOKS: Final[tuple[tuple[str, Callable[[Patient], Awaitable[list[Finding]]]], ...]] = (
    ("slots", server.look_at_slots),
    ("server", server.look),
    ("holes", holes.look),
    ("doors", doors.look),
    ("keys", keys.look),
    ("workers", work.look_at_workers),
    ("handlers", work.look_at_handlers),
    ("notes", work.look_at_notes),
    ("queues", work.look_at_queues),
    ("tasks", work.look_at_tasks),
    ("schedules", schedules.look),
    ("index", index.look),
    ("unique", index.look_at_keys),
    ("accounts", index.look_at_accounts),
    ("names", index.look_at_names),
)


async def examine(app: App, *, repair: bool = False) -> list[Finding]:
    """Look at everything; an unreachable server is a finding too. ``repair`` gives back what is lost."""
    servers = app.client.store.servers
    unprepared = await _prepared(app)
    met = [await look_at_each(server) for server in servers.all]
    findings = [*_of_settings(app), *[finding for addresses in met for finding in findings_of(addresses)]]
    reached = {
        each.address: server
        for server, addresses in zip(servers.all, met, strict=True)
        for each in addresses
        if each.answers and each.address
    }
    if not reached or unprepared:
        return [*findings, *unprepared]
    links = app.client.store.links("streamq-doctor")
    patient = Patient(app, links, repair=repair)
    patient.reached = reached
    try:
        try:
            patient.infos = {
                server: await app.client.store.server.info(server) for server in reached.values()
            }
        except StreamqError as error:
            cause = cause_of(error)
            if cause.code != "right-missing":
                return [*findings, _unseen("server", error)]
        for check, look in _LOOKS:
            try:
                findings += await look(patient)
            except StreamqError as error:
                findings.append(_unseen(check, error))
    finally:
        await links.close()
    return findings


async def _prepared(app: App) -> list[Finding]:
    """Why a cluster does not say where queues live, though a node of it answers; where none does, each address says
    why."""
    try:
        await app.client.store.servers.prepare()
    except StreamqError as error:
        return (
            [Finding("slots", "cluster-down", "fail", str(error))] if "cluster is down" in str(error) else []
        )
    return []


def _of_settings(app: App) -> list[Finding]:
    """Settings without effect; a role logs them once, when it starts."""
    remarks = (remark.partition(": ") for remark in app.settings.remarks())
    return [
        Finding("settings", "odd-setting", "warn", said, hint or "remove it") for said, _, hint in remarks
    ]


def _unseen(check: str, error: StreamqError) -> Finding:
    cause = cause_of(error)
    return Finding(check, f"unseen-{cause.code}", "fail", f"cannot be checked: {cause.said}", cause.remedy)
