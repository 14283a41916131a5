"""Every Redis key, named here and nowhere else.

    sq:{queue}:ready         stream   waiting and active jobs; fields task, payload, headers
    sq:{queue}:alone         stream   suspects: jobs that crashed their workers, delivered one at a time
    sq:{queue}:parked        hash     id -> envelope of a delayed or held job
    sq:{queue}:delayed       zset     id by due time in ms
    sq:{queue}:moved         hash     id -> "lane entry" of a job that re-entered a stream
    sq:{queue}:finished      hash     id -> record of a finished job
    sq:{queue}:completed     list     ids of completed jobs, oldest first
    sq:{queue}:failed        list     ids of failed jobs, oldest first
    sq:{queue}:events        stream   what finished, one entry per settled batch, capped
    sq:{queue}:wake          list     at most one element: a due time earlier than the last known
    sq:{queue}:workers       zset     worker by number of beats; a fraction counts beats by others on its behalf
    sq:{queue}:upkeep:SEAT   string   who does the queue's upkeep: seat 1 all of it, 2 helps, 3 only recovers; expires
    sq:{queue}:producer:ID   string   last batch of one producer and the ids it was answered; expires
    sq:queues                set      names of all queues
    sq:workers               hash     worker -> what it says of itself (JSON)

The braces are a Redis Cluster hash tag: all keys of a queue live in one slot, so each script is safe there.
"""

from __future__ import annotations

import re
from typing import Final

from streamq.errors import ConfigurationError

GROUP: Final = "workers"
"""The consumer group of every lane."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def is_name(text: str) -> bool:
    """Whether it may name a queue or a worker: 1 to 64 letters, digits, ``_``, ``.`` or ``-``."""
    return _NAME.fullmatch(text) is not None


class Keys:
    """The keys of one queue.

    Raises ``ConfigurationError`` for a name that is not 1 to 64 letters, digits, ``_``, ``.`` or ``-``.
    """

    __slots__ = (
        "alone", "completed", "delayed", "events", "failed", "finished", "moved",
        "parked", "producer", "queue", "ready", "upkeep", "wake", "workers",
    )  # fmt: skip

    def __init__(self, prefix: str, queue: str) -> None:
        if not is_name(queue):
            raise ConfigurationError(
                f"{queue!r} cannot name a queue: use 1 to 64 letters, digits, '_', '.' or '-'"
            )
        of = f"{prefix}:{{{queue}}}:"
        self.queue = queue
        self.ready = of + "ready"
        self.alone = of + "alone"
        self.parked = of + "parked"
        self.delayed = of + "delayed"
        self.moved = of + "moved"
        self.finished = of + "finished"
        self.completed = of + "completed"
        self.failed = of + "failed"
        self.events = of + "events"
        self.wake = of + "wake"
        self.workers = of + "workers"
        self.producer = of + "producer:"
        self.upkeep = of + "upkeep:"

    def seats(self, *numbers: int) -> tuple[str, ...]:
        """The keys of seats of the upkeep."""
        return tuple(f"{self.upkeep}{number}" for number in numbers)

    @property
    def lanes(self) -> tuple[str, str]:
        """The streams jobs are delivered from; a lane's number is its place here, from 1."""
        return self.ready, self.alone


def queues_key(prefix: str) -> str:
    """The set of all queue names."""
    return f"{prefix}:queues"


def workers_key(prefix: str) -> str:
    """The hash of all workers."""
    return f"{prefix}:workers"
