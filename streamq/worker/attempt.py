"""An attempt: a job in a slot of this worker, from its delivery until its handler has returned."""

from __future__ import annotations

import asyncio
from typing import Any

from streamq.durations import LONGEST_WAIT
from streamq.model.clock import monotonic
from streamq.model.envelope import Delivery
from streamq.model.headers import trace_of
from streamq.task import Task


class Attempt:
    """A delivery being run by ``worker``. ``task`` is ``None`` when this worker does not know it.

    Most attempts change few of these; what stays as it is costs nothing when it is the class's.
    """

    begun = 0.0
    """When its handler was called, by the monotonic clock; 0 before that. Its time limit counts from here."""
    late = False
    """Its time limit is over."""
    interrupted = False
    """It was cancelled by a shutdown."""
    told: bytes | None = None
    """What its record will say of its end, once that was asked for: it was told to end, and ends as cancelled."""
    keep_result = 0.0
    """Seconds that its result is kept, where it is kept and that is not as long as its record."""
    settled = False
    """Its outcome is with the settler, or its job is given back: what its handler still does no longer counts."""
    pausing: asyncio.Task[None] | None = None
    """What pauses its group before its outcome is put, where its handler asked for that: it keeps its slot so long."""
    handle: asyncio.Task[Any] | None = None
    """The asyncio task of an async handler; ``None`` for a plain one, while it runs in a thread."""
    line: dict[Attempt, None] | None = None
    """The attempts with the same time limit, itself among them, where they share a timer."""
    timer: asyncio.TimerHandle | None = None
    """The timer of its time limit, where it has one of its own."""

    def __init__(self, delivery: Delivery, task: Task[Any, Any] | None, worker: str) -> None:
        self.delivery, self.task, self.worker = delivery, task, worker

    @property
    def limit(self) -> float:
        """Seconds that a timer can take: what is no time at all limits nothing."""
        timeout = 0.0 if self.task is None else self.delivery.headers.get("timeout") or self.task.timeout
        return timeout if 0 < timeout <= LONGEST_WAIT else LONGEST_WAIT

    @property
    def number(self) -> int:
        """Attempts spent when this one is."""
        return self.delivery.headers.get("attempt", 0) + 1

    @property
    def attempts(self) -> int:
        """How many the job may spend."""
        said = self.delivery.headers.get("attempts")
        return said or (self.task.retries.attempts_at(self.number) if self.task else 1)

    @property
    def seconds(self) -> float:
        """How long its handler has run."""
        return monotonic() - self.begun if self.begun else 0.0

    def fields(self) -> dict[str, object]:
        """What log lines tell of it: see ``logs.FIELDS``."""
        delivery = self.delivery
        headers, (queue, job_id) = delivery.headers, delivery.known_as
        fields: dict[str, object] = {
            "job": job_id, "queue": queue, "task": delivery.task[:200], "attempt": self.number,
            "attempts": self.attempts, "worker": self.worker,
        }  # fmt: skip
        if "foreign" in headers and (trace := trace_of(headers)):
            fields["trace_id"], fields["span_id"] = trace
        return fields

    def __str__(self) -> str:
        queue, job_id = self.delivery.known_as
        return f"job {job_id} of {self.delivery.task[:200]!r} on {queue}"
