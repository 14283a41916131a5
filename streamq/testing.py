"""For unit tests of handlers: the context that a worker would give, made by hand. No server is needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from streamq.app import App
from streamq.context import Context
from streamq.model.reports import LogLine, Progress, numbered, progress, stored
from streamq.settings import Settings


def context(
    *, app: App | None = None, queue: str = "default", task: str = "test", job_id: str = "1-0", attempt: int = 1,
    attempts: int = 5, worker: str = "test", shutting_down: bool | Callable[[], bool] = False,
    schedule: str | None = None, planned_at: datetime | None = None, told: list[Progress | LogLine] | None = None,
) -> Context:  # fmt: skip
    """A ``Context`` to call a handler with: ``await send_sms.handler(message, context(attempt=2))``.

    ``attempt`` is counted from 1. ``shutting_down`` is the value that the handler reads, or a function that is
    called each time. What the handler tells is added to ``told``, in order. The default ``app`` is not open and has the
    default settings.
    """

    def tell(text: bytes, *, is_line: bool) -> None:
        raw, said = stored(0, attempt, text), [] if told is None else told
        said += numbered(len(said) + 1, raw) if is_line else filter(None, [progress(raw)])

    asked = shutting_down if callable(shutting_down) else lambda: bool(shutting_down)
    return Context(
        app=app or App(Settings.model_construct()), queue=queue, task=task, job_id=job_id, attempt=attempt,
        attempts=attempts, worker=worker, _stopping=asked, schedule=schedule, planned_at=planned_at,
        _report=tell,
    )  # fmt: skip
