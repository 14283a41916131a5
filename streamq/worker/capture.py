"""What handlers log with standard logging, as lines of their jobs' logs: of tasks that ask for it (`capture_logs`)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from streamq.logs import CURRENT
from streamq.model.reports import LEVELS, line_text
from streamq.task import Task
from streamq.worker.attempt import Attempt
from streamq.worker.reporter import Reporter

_OURS: Final = "streamq"
"""The engine's own lines tell of jobs, and are none of their handlers'."""


class _Capture(logging.Handler):
    """Takes the records that are logged inside the attempts of one worker."""

    def __init__(self, reporter: Reporter, worker: str) -> None:
        super().__init__()
        self._reporter, self._worker = reporter, worker

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises: a record that cannot be written is none of the handler's faults."""
        attempt = CURRENT.get()
        if not isinstance(attempt, Attempt) or attempt.worker != self._worker:
            return
        if attempt.task is None or not attempt.task.captures_logs or record.name.split(".")[0] == _OURS:
            return
        try:
            level = record.levelname.lower()
            text = line_text(level if level in LEVELS else "info", self.format(record))
            self._reporter.report(attempt, text, is_line=True)
        except Exception:
            self.handleError(record)


@contextlib.contextmanager
def captured(tasks: Mapping[str, Task[Any, Any]], reporter: Reporter, worker: str) -> Iterator[None]:
    """Inside the block, what handlers log becomes lines of their jobs' logs, where their tasks ask for it.

    What the levels of the loggers let through, as for any handler of the root logger.
    """
    if not any(task.captures_logs for task in tasks.values()):
        yield
        return
    capture, root = _Capture(reporter, worker), logging.getLogger()
    root.addHandler(capture)
    try:
        yield
    finally:
        root.removeHandler(capture)
