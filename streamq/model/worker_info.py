"""A worker's description of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from streamq.model.places import SEPARATOR, queue_of, shown_id
from streamq.model.worker_load import UNSAID, WORKING, RunningJob, WorkerLoad
from streamq.times import rfc3339


@dataclass(frozen=True, slots=True)
class WorkerNote:
    """A message of an app's code to operators, about the process it runs in: see ``App.notes``."""

    subject: str
    text: str
    since: datetime
    """When it was first set, by its host's clock."""

    def asdict(self) -> dict[str, Any]:
        """The note as JSON has it."""
        return {"subject": self.subject, "text": self.text, "since": rfc3339(self.since)}


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker's description of itself."""

    name: str
    host: str
    pid: int
    queues: tuple[str, ...]
    concurrency: int
    started_at: datetime
    version: str
    client_id: int = 0
    """The client id, at the server, of the connection of its heartbeat."""
    clients: Mapping[str, int] | None = None
    """The same at each node of a cluster, by its address; ``None`` where there is one server, or it does not say."""
    token: str = ""
    """Distinguishes it from another worker that claims the same name."""
    lease: float = 0.0
    """Seconds without a beat after which it is lost; 0 when it does not say."""
    beat: float = 0.0
    """Seconds between two of its beats; 0 when it does not say."""
    stuck: float = 0.0
    """Seconds for which others may beat on its behalf while it cannot; 0 when it does not say."""
    host_id: str = ""
    """Boot and process-id namespace of its host; empty when it does not say."""
    process_start: int = 0
    """When its process started, in ticks since the boot of its host; 0 when it does not say."""
    overdue: tuple[RunningJob, ...] = ()
    """Handlers that keep a slot past their time limit, and could not be ended; the longest first, 100 at most."""
    notes: tuple[WorkerNote, ...] = ()
    """What its app's code tells operators, the oldest first."""
    schedules: tuple[str, ...] = ()
    """The schedules that its app declares."""
    tasks: Mapping[str, int] | None = None
    """The tasks that it knows, each with the version of its payload; ``None`` when it does not say."""

    load: WorkerLoad | None = None
    """What it does now, as far as it has told that; ``None`` when it has not yet."""
    asked: str = ""
    """What was asked of it: ``quiet``, ``stop``, or nothing."""

    def client_at(self, server: str, *, home: bool) -> int:
        """The client id of its heartbeat at a server, the ``home`` of all workers or not; 0 where it does not say."""
        return (self.clients or {}).get(server, self.client_id if home else 0)

    @property
    def takes_jobs(self) -> bool:
        """Whether it takes new jobs: one that is quiet or stops serves nobody, though it is registered."""
        return not self.asked and (self.load is None or self.load.state == WORKING)

    @property
    def slots(self) -> int:
        """How many jobs run at once with it: as many as it may have, or those it still has where it takes no more."""
        return self.concurrency if self.takes_jobs else self.load.busy if self.load else 0

    def asdict(self) -> dict[str, Any]:
        """The worker as JSON has it, with what it does now."""
        return {**self.described(), **(self.load.asdict() if self.load else UNSAID)}

    def described(self) -> dict[str, Any]:
        """The same without what it does now: what changes seldom."""
        return {
            "name": self.name, "host": self.host, "pid": self.pid, "queues": list(self.queues),
            "concurrency": self.concurrency, "started_at": rfc3339(self.started_at), "version": self.version,
            "asked": self.asked, "takes_jobs": self.takes_jobs, "slots": self.slots,
            "overdue": [handler.asdict() for handler in self.overdue],
            "notes": [note.asdict() for note in self.notes],
        }  # fmt: skip


def as_known(worker: WorkerInfo) -> WorkerInfo:
    """The worker as people see it: with queues in the place of their partitions."""
    if not any(SEPARATOR in queue for queue in worker.queues):
        return worker
    load, queues = worker.load, tuple(dict.fromkeys(map(queue_of, worker.queues)))
    return replace(
        worker, queues=queues, overdue=tuple(map(_known_job, worker.overdue)),
        load=load and replace(load, running=tuple(map(_known_job, load.running))),
    )  # fmt: skip


def _known_job(job: RunningJob) -> RunningJob:
    return replace(job, job=shown_id(job.queue, job.job), queue=queue_of(job.queue))
