"""Queues on which the server refuses commands: each is put aside by itself, with growing pauses; the others go on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streamq.clock import monotonic

log = logging.getLogger("streamq.fetcher")

PAUSE: Final = (0.5, 30.0)
"""Seconds until a refused queue is tried again: at first, and at most. Each refusal doubles them."""


@dataclass(slots=True)
class _Pause:
    seconds: float
    until: float


class QueueTrouble:
    """What is refused, by queue. ``act`` says in the log what could not be done, as in ``fetch from``.

    One line says when the trouble of a queue begins and one when it ends.
    """

    def __init__(self, act: str) -> None:
        self._act = act
        self._pauses: dict[str, _Pause] = {}

    def __len__(self) -> int:
        return len(self._pauses)

    def resting(self, queue: str) -> bool:
        """Whether the queue is put aside for now."""
        pause = self._pauses.get(queue)
        return pause is not None and monotonic() < pause.until

    def due(self) -> list[str]:
        """The refused queues whose pause is over: each is to be tried by itself."""
        now = monotonic()
        return [queue for queue, pause in self._pauses.items() if now >= pause.until]

    def wait(self) -> float:
        """Seconds until one of them is to be tried again; infinite when there is no trouble."""
        return max(0.0, min((p.until for p in self._pauses.values()), default=float("inf")) - monotonic())

    def begin(self, refused: Mapping[str, Exception]) -> None:
        """The server has refused these queues, with these errors."""
        told: dict[str, list[str]] = {}
        for queue, error in refused.items():
            if (pause := self._pauses.get(queue)) is None:
                self._pauses[queue] = _Pause(PAUSE[0], monotonic() + PAUSE[0])
                told.setdefault(str(error), []).append(queue)
            else:
                pause.seconds = min(PAUSE[1], 2 * pause.seconds)
                pause.until = monotonic() + pause.seconds
        for text, queues in told.items():  # a missing right concerns all queues at once: one line
            log.warning("cannot %s %s: %s; retrying, other queues go on", self._act, ", ".join(queues), text)

    def end(self, queue: str) -> None:
        """The server has taken a command on this queue."""
        if self._pauses.pop(queue, None) is not None:
            log.info("can %s %s again", self._act, queue)
