"""Notes: messages of an app's code to operators about its process, for as long as they are true.

A log line is seen only by somebody who searches for it. A note stands beside the worker in the list of workers, on the
command line, over HTTP and in ``streamq doctor``, until it is cleared or the process ends. The next beat sends it.
"""

from __future__ import annotations

import threading
from typing import Final

from streamq.model.clock import host_now
from streamq.model.shown import shown
from streamq.model.worker_info import WorkerNote

MANY: Final = 20
"""Notes of a process at a time: a worker sends all of them with each registration."""
SUBJECT: Final = 64
"""Characters of a subject: as many as a name of a queue has."""
TEXT: Final = 500
"""Characters of a text: a few lines on a terminal; more belongs into the log."""


class Notes:
    """``app.notes``: ``set("sms", "held: the provider says 401")``, and ``clear("sms")``. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[str, WorkerNote] = {}
        self.listed: tuple[WorkerNote, ...] = ()
        """The current notes, the oldest first."""
        self.version = 0
        """Grows with every change."""

    def set(self, subject: str, text: str) -> None:
        """Tell of ``subject`` (64 characters) that ``text`` (500) is so, since the first call until ``clear``.

        Of more than 20 subjects the oldest is dropped. No secret may stand in it: whoever may read the list of workers
        reads it.
        """
        subject = shown(subject, SUBJECT)
        with self._lock:
            before = self._notes.get(subject)
            self._notes[subject] = WorkerNote(
                subject, shown(text, TEXT), before.since if before else host_now()
            )
            if len(self._notes) > MANY:
                self._notes.pop(next(iter(self._notes)))
            self._changed()

    def clear(self, subject: str) -> None:
        """It is so no longer. Nothing happens when there is no such note."""
        with self._lock:
            if self._notes.pop(shown(subject, SUBJECT), None):
                self._changed()

    def _changed(self) -> None:
        self.listed = tuple(self._notes.values())
        self.version += 1
