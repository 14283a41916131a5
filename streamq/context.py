"""What a handler may know of its attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from streamq.model.clock import from_ms
from streamq.model.headers import Headers
from streamq.program import Program


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler may know of its attempt: give it a parameter annotated ``Context``."""

    app: Program
    queue: str
    task: str
    job_id: str
    attempt: int
    """This attempt's number, from 1."""
    attempts: int
    """How many the job may spend."""
    worker: str
    _stopping: Callable[[], bool]
    schedule: str | None = None
    """The name of the schedule that enqueued the job, if one did."""
    planned_at: datetime | None = None
    """The planned time of that run: the same on every attempt, and however late it is."""
    _cancelled: Callable[[], bool] = lambda: False

    @property
    def shutting_down(self) -> bool:
        """Whether the worker was told to stop: a long handler does well to end or to ``raise Retry``."""
        return self._stopping()

    @property
    def cancelled(self) -> bool:
        """Whether somebody has cancelled the job, or its time limit is over: what the handler still does is dropped.

        An async handler is cancelled as well; one in a thread can only look here from time to time, and return.
        """
        return self._cancelled()

    @property
    def idempotency_key(self) -> str:
        """A key for outside effects, the same on every attempt of this job."""
        return f"{self.queue}:{self.job_id}"


def of_schedule(headers: Headers) -> dict[str, Any]:
    """What the headers of a job say of the schedule that enqueued it, as ``Context`` takes it."""
    if "planned" not in headers:
        return {}
    try:
        planned_at = from_ms(headers["planned"])
    except (ValueError, OverflowError, OSError):  # another program wrote it
        return {}
    return {"schedule": headers.get("schedule"), "planned_at": planned_at}
