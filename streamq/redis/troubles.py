"""What cannot be done now, by subject, which mostly is a queue: each is put aside by itself, and the others go on.

A trouble is told once when it begins and once when it is over; between, its subject is tried again with growing pauses.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from streamq.errors import StreamqError, Unavailable
from streamq.model.clock import monotonic
from streamq.model.places import queue_of
from streamq.redis.answers import concerns_all

T = TypeVar("T")

PAUSE: Final = (0.5, 30.0)
"""Seconds until it is tried again: at first, and at most. Each failure doubles them. A key of the wrong type or a
missing right is mended by a person, who should not wait for longer than that."""
EVERYONE: Final = "all queues"
"""The subject of what is one for all queues, such as the list of workers."""


@dataclass(slots=True)
class _Pause:
    seconds: float
    until: float


class Troubles:
    """The subjects in trouble. ``act`` says to ``log`` what cannot be done with them, as in ``fetch from``.

    ``pause`` are the seconds of the first and the longest pause, where they are not ``PAUSE``.
    """

    def __init__(self, act: str, log: logging.Logger, pause: tuple[float, float] | None = None) -> None:
        self._act, self._log, self._bounds = act, log, pause
        self._pauses: dict[str, _Pause] = {}
        self._said: dict[str, dict[str, str]] = {}
        """By queue, what was the matter with each of its partitions; what is no partition is like a queue."""
        self._first = ""

    def __len__(self) -> int:
        return len(self._pauses)

    def resting(self, subject: str) -> bool:
        """Whether it is put aside for now."""
        pause = self._pauses.get(subject)
        return pause is not None and monotonic() < pause.until

    def rested(self, subjects: Iterable[str]) -> list[str]:
        """Those of the subjects that are well, or are to be tried again now."""
        return [subject for subject in subjects if not self.resting(subject)]

    def due(self) -> list[str]:
        """Those in trouble whose pause is over."""
        return self.rested(self._pauses)

    def until_next(self) -> float:
        """Seconds until one is to be tried again; infinite when there is none."""
        return max(0.0, min((p.until for p in self._pauses.values()), default=float("inf")) - monotonic())

    def met(self, failed: Mapping[str, Exception]) -> None:
        """These failed, with these errors. Subjects that failed for the same reason are told of in one line, and the
        partitions of a queue as that queue."""
        told: dict[str, tuple[Exception, list[str]]] = {}
        first, longest = self._bounds or PAUSE
        for subject, error in failed.items():
            if (pause := self._pauses.get(subject)) is None:
                queue, said = queue_of(subject), str(error)
                if said not in self._said.setdefault(queue, {}).values():
                    told.setdefault(said, (error, []))[1].append(queue)
                self._said[queue][subject] = said
                self._pauses[subject] = _Pause(first, monotonic() + first)
            else:
                pause.seconds = min(longest, 2 * pause.seconds)
                pause.until = monotonic() + pause.seconds
        for text, (error, subjects) in told.items():
            self._log.warning(
                "cannot %s %s: %s; retrying, the others go on",
                self._act, ", ".join(subjects), text or type(error).__name__,
                exc_info=None if isinstance(error, Unavailable) else error,
            )  # fmt: skip

    def over(self, subject: str) -> None:
        """It works there. Of a queue that is told once it does in all of its partitions."""
        if self._pauses.pop(subject, None) is None:
            return
        queue = queue_of(subject)
        self._said[queue].pop(subject)
        if not self._said[queue]:
            del self._said[queue]
            self._log.info("can %s %s again", self._act, queue)

    def answers(self, replies: Mapping[str, T | StreamqError]) -> dict[str, T]:
        """What works, of the replies by subject; the rest is put aside."""
        good: dict[str, T] = {}
        for subject, reply in replies.items():
            if not isinstance(reply, StreamqError):
                self.over(subject)
                good[subject] = reply
            else:
                self.met({subject: reply})
        return good

    async def each(
        self, queues: Sequence[str], act: Callable[[str], Awaitable[int]],
        server_of: Callable[[str], object] = lambda _: None,
    ) -> int:  # fmt: skip
        """Do ``act`` for every queue that is not to be left alone; returns the sum of what it returned.

        ``server_of`` tells on which of several servers a queue is: where one is lost, its queues alone are put aside.
        Raises what concerns all queues. The next time begins behind the queue that met it, so that a call which
        takes too long in one queue does not keep the others waiting for ever.
        """
        done, lost, failed = 0, dict[object, Exception](), dict[str, Exception]()
        begin = queues.index(self._first) if self._first in queues else 0
        asked = self.rested([*queues[begin:], *queues[:begin]])
        servers = {server_of(queue) for queue in asked}
        for queue in asked:
            if (server := server_of(queue)) in lost:
                failed[queue] = lost[server]
                continue
            try:
                done += await act(queue)
            except Exception as error:
                failed[queue] = error
                if concerns_all(error):
                    lost[server] = error
                if len(lost) == len(servers):
                    self._first = queues[(queues.index(queue) + 1) % len(queues)]
                    raise
            else:
                self.over(queue)
        self.met(failed)
        return done
