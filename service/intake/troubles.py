"""Troubles of the intake: each is logged when it begins and ends, and all stand in the note of the worker."""

from __future__ import annotations

import logging
from typing import Final

from streamq import Notes

log = logging.getLogger("streamq.intake")

SUBJECT: Final = "intake"
"""Of the note."""


class Troubles:
    """What is wrong now, by what it is about."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._now: dict[str, str] = {}

    def begin(self, about: str, said: str) -> bool:
        """Something is wrong. Returns whether that is news."""
        if self._now.get(about) == said:
            return False
        log.warning("intake, %s: %s", about, said)
        self._now[about] = said
        self._show()
        return True

    def end(self, about: str) -> None:
        """It is right again."""
        if self._now.pop(about, None) is not None:
            log.warning("intake, %s: works again", about)
            self._show()

    def clear(self) -> None:
        """Nobody works on it any more."""
        self._now.clear()
        self._show()

    def _show(self) -> None:
        if self._now:
            self._notes.set(SUBJECT, "; ".join(f"{about}: {said}" for about, said in self._now.items()))
        else:
            self._notes.clear(SUBJECT)
