"""Schedules that nobody runs, that wait for room in their queue, that code declares no more, or that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from streamq.doctor.finding import Finding, Patient
from streamq.duties.seats import CHIEF, DEPUTY
from streamq.errors import Rejected
from streamq.model.clock import from_ms
from streamq.model.schedule_record import ScheduleRecord

LATE: Final = timedelta(seconds=5)
"""Past its planned time by so much, a schedule gives a warning: those that run are late by milliseconds."""
NAMED: Final = 5
"""Schedules that a finding names at most."""


async def look(patient: Patient) -> list[Finding]:
    """One finding for each queue and each thing that is wrong."""
    app, findings = patient.app, list[Finding]()
    await app.client.store.server.read_clock()
    records = await app.schedules.list()
    for queue in await app.queues():
        of_queue = [each for each in records if each.schedule.queue == queue]
        try:
            findings += await _of_queue(patient, queue, of_queue)
        except Rejected:  # the check of its keys says why
            continue
    return findings


async def _of_queue(patient: Patient, queue: str, records: Sequence[ScheduleRecord]) -> list[Finding]:
    store, findings = patient.app.client.store, list[Finding]()
    before = from_ms(store.clock.now()) - LATE
    if late := [each for each in records if each.next_at and each.next_at < before]:
        said = f"{_named(late)} of queue {queue!r} should have run"
        if await store.seats.taken(queue, CHIEF, DEPUTY):
            remedy = (
                "look whether its queue is full (`streamq queue get`) and what workers and schedulers log"
            )
            findings.append(Finding("schedules", "schedules-late", "warn", said, remedy))
        else:
            said = f"{said}, and nobody runs them: no worker and no scheduler runs"
            remedy = "start `streamq worker APP`, or `streamq scheduler`"
            findings.append(Finding("schedules", "schedules-unrun", "fail", said, remedy))
    if orphaned := [each for each in records if each.orphaned]:
        said = f"{_named(orphaned)} of queue {queue!r}: code declares it no more, and it runs on"
        remedy = "remove it with `streamq schedule rm`, or start a worker that declares it"
        findings.append(Finding("schedules", "schedules-orphaned", "warn", said, remedy))
    names = await patient.app.client.partition_names(queue)
    if (unreadable := sum([await store.schedules.count(name) for name in names]) - len(records)) > 0:
        said = f"{unreadable} of queue {queue!r} cannot be read, and never run"
        remedy = "a worker's log names them: remove them with `streamq schedule rm`, or use the version that made them"
        findings.append(Finding("schedules", "schedules-unreadable", "warn", said, remedy))
    return findings


def _named(records: Sequence[ScheduleRecord]) -> str:
    names = ", ".join(each.name for each in records[:NAMED])
    more = f" and {len(records) - NAMED} more" if len(records) > NAMED else ""
    return f"{'schedule' if len(records) == 1 else 'schedules'} {names}{more}"
