"""What a handler may know of its attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
