"""Workers that are lost or blocked, and jobs for which there is no worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from streamq.doctor.finding import Finding, Patient
from streamq.duties.seats import CHIEF, DEPUTY
from streamq.errors import Rejected, StreamqError
from streamq.liveness.recovery import GRACE
from streamq.model.counted import counted
from streamq.model.typed import typed
from streamq.model.worker_info import WorkerInfo, as_known

LATE = 5.0
"""Seconds past its due time from which on a delayed job gives a warning: promoters are late by milliseconds."""


async def look_at_workers(patient: Patient) -> list[Finding]:
    """Lost workers; with ``repair`` their jobs wait again. Writes the others to ``patient.workers``."""
    app, links, findings = patient.app, patient.links, list[Finding]()
    # workers first, connections after: a worker that registers in between is already connected, and not taken for lost
    workers = patient.workers = await app.client.store.workers.with_loads()
    queues = sorted({queue for worker in workers for queue in worker.queues})
    seen = await app.client.store.workers.beats_or_errors(links, queues) if queues else {}
    try:
        absent = await _absent(patient, workers)
    except Rejected:
        return []
    patient.workers = [worker for worker in workers if worker not in absent]
    for worker in absent:
        said = f"{worker.name} ({', '.join(as_known(worker).queues)}) has no connection"
        if not patient.repair:
            remedy = "a worker or scheduler recovers it; or use --repair"
            findings.append(Finding("workers", "worker-lost", "fail", said, remedy))
        elif await _recovered(patient, worker, seen):
            remedy = "nothing more: it was repaired"
            findings.append(
                Finding("workers", "worker-recovered", "warn", f"{said}; its jobs wait again", remedy)
            )
    if not absent:
        findings.append(Finding("workers", "workers", "ok", f"{len(workers)} registered, none lost"))
    return findings


async def _absent(patient: Patient, workers: Sequence[WorkerInfo]) -> list[WorkerInfo]:
    """Those without any connection in two checks: one that has just lost its connection opens a new one."""
    for pause in (0.0, GRACE):
        if workers:
            await asyncio.sleep(pause)
            names = await patient.app.client.store.workers.client_names(patient.links)
            workers = [worker for worker in workers if worker.name not in names]
    return list(workers)


async def _recovered(
    patient: Patient, worker: WorkerInfo, seen: Mapping[str, Mapping[str, bytes] | StreamqError]
) -> bool:
    """Give the jobs of a lost worker back, unless it has beaten since ``seen`` was read."""
    store = patient.app.client.store
    for queue in worker.queues:
        beats = seen[queue]
        if isinstance(beats, StreamqError) or worker.name not in beats:
            continue
        if (await store.recovery.reclaim(patient.links, queue, worker.name, beats[worker.name])).beaten:
            return False
    await store.workers.forget(worker.name, worker.token)
    return True


async def look_at_handlers(patient: Patient) -> list[Finding]:
    """Handlers that could not be ended at their time limit, and take a slot."""
    findings = []
    for worker in await patient.app.workers():
        if worker.overdue:
            named = ", ".join(
                f"{each.task!r} (job {each.job} on {each.queue})" for each in worker.overdue[:5]
            )
            more = f" and {len(worker.overdue) - 5} more" if len(worker.overdue) > 5 else ""
            said = (
                f"{worker.name}: {len(worker.overdue)} of {worker.concurrency} slots are taken by handlers that "
                f"run past their time limit: {named}{more}"
            )
            remedy = "give what they wait for a time limit of its own; restart the worker to end them"
            findings.append(Finding("handlers", "handlers-overdue", "warn", said, remedy))
    return findings


async def look_at_notes(patient: Patient) -> list[Finding]:
    """Notes of apps to operators. The same note of many workers is one finding."""
    by_note: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for worker in await patient.app.workers():
        for note in worker.notes:
            by_note.setdefault((note.subject, note.text), []).append((note.since, worker.name))
    findings = []
    for (subject, text), workers in by_note.items():
        since, name = min(workers)
        more = f" and {len(workers) - 1} more" if len(workers) > 1 else ""
        said = f"{subject}, since {since:%Y-%m-%dT%H:%M:%SZ} ({name}{more}): {text}"
        findings.append(
            Finding("notes", "worker-note", "warn", said, "what the note says; its worker's app set it")
        )
    return findings


async def look_at_queues(patient: Patient) -> list[Finding]:
    """Jobs that wait on a queue which no worker serves, and delayed ones that nobody promotes."""
    findings = []
    for queue in await patient.app.queues():
        try:
            findings += await _of_queue(patient, queue)
        except Rejected:  # the check of its keys says why
            continue
    return findings


async def _of_queue(patient: Patient, queue: str) -> list[Finding]:
    serving = [worker for worker in patient.workers if queue in worker.queues]
    app, findings = patient.app, list[Finding]()
    waiting = (await app.queue(queue).counts()).waiting
    if waiting and not any(worker.takes_jobs for worker in serving):
        jobs = counted(waiting, "job waits", "jobs wait")
        why, remedy = _unserved(queue, serving)
        said = f"{jobs} on {queue!r} and {why}"
        findings.append(Finding("queues", "queue-unserved", "fail", said, remedy))
    store = patient.app.client.store
    late = sum([await store.delayed.late(name, LATE) for name in await app.client.partition_names(queue)])
    if late and not await store.seats.taken(queue, CHIEF, DEPUTY):
        jobs = "1 delayed job" if late == 1 else f"{late:,} delayed jobs"
        said = (
            f"{jobs} on {queue!r} should have been due, and nobody promotes: no worker and no scheduler runs"
        )
        remedy = "start `streamq worker APP`, or `streamq scheduler`"
        findings.append(Finding("queues", "delayed-unpromoted", "fail", said, remedy))
    return findings


def _unserved(queue: str, serving: Sequence[WorkerInfo]) -> tuple[str, str]:
    """Why no worker takes its jobs, and what to do."""
    start = f"start `streamq worker APP` with an APP that declares tasks on {queue!r}"
    if not serving:
        return "no worker serves it", start
    names = ", ".join(worker.name for worker in serving[:3])
    return (
        f"its workers take no new jobs ({names})",
        f"`{typed('workers resume', serving[0].name)}`, or {start}",
    )


async def look_at_tasks(patient: Patient) -> list[Finding]:
    """Jobs whose tasks no worker has known so far."""
    findings, app = list[Finding](), patient.app
    for queue in await app.queues():
        counts = Counter[str]()
        for name in await app.client.partition_names(queue):
            counts.update(await app.client.store.delayed.unknown_tasks(name))
        if counts:
            ordered = sorted(counts.items(), key=lambda item: -item[1])[:10]
            listed = ", ".join(f"{count} of {task[:100]!r}" for task, count in ordered)
            said = f"{queue}: jobs wait for a worker that knows their task: {listed}"
            remedy = "start a worker that declares it; after STREAMQ_UNKNOWN_TASK_FOR seconds they are failed"
            findings.append(Finding("tasks", "tasks-unknown", "warn", said, remedy))
    return findings
