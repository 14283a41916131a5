"""A model of the states of jobs and of unique keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamq.model.outcomes import DELAYED, HELD


@dataclass
class Job:
    """What the model knows of a job."""

    state: str
    task: str
    n: int
    lane: int
    key: str
    until: str
    crashes: int = 0
    worker: str = ""
    asked: bool = False
    """Its end was asked for."""
    later: bool = False
    """It follows another, and is not to run before its time when that has ended."""
    paused: bool = False
    """It is held by the pause of its task, and not by its key."""


@dataclass
class Model:
    """Jobs by id; by key the id of its job, until when, and who follows."""

    jobs: dict[str, Job] = field(default_factory=dict)
    keys: dict[str, tuple[str, str, list[str]]] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)

    def is_living(self, job_id: str) -> bool:
        job = self.jobs.get(job_id)
        return job is not None and job.state in ("waiting", "active", DELAYED, HELD)

    def state(self, job_id: str) -> str:
        return self.jobs[job_id].state if job_id in self.jobs else ""

    def leave(self, key: str, job_id: str) -> None:
        if not key or key not in self.keys or self.keys[key][1] == "window":
            return
        holder, until, following = self.keys[key]
        if holder != job_id:
            self.keys[key] = holder, until, [other for other in following if other != job_id]
            return
        for at, other in enumerate(following):
            if self.is_living(other):
                self.jobs[other].state = DELAYED if self.jobs[other].later else "waiting"
                self.keys[key] = other, until, following[at + 1 :]
                return
        del self.keys[key]

    def holder(self, key: str) -> str | None:
        while key in self.keys:
            holder, until, _ = self.keys[key]
            if until == "window" or self.is_living(holder):
                return holder
            self.leave(key, holder)
        return None

    def end(self, job_id: str, state: str) -> None:
        job = self.jobs[job_id]
        job.state, job.paused, job.worker = state, False, ""
        if job.until != "window":
            self.leave(job.key, job_id)

    def wait(self, job_id: str, lane: int | None = None) -> None:
        job = self.jobs[job_id]
        job.state, job.worker, job.paused = "waiting", "", False
        job.lane = job.lane if lane is None else lane
