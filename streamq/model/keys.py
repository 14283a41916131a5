"""Every Redis key, named here and nowhere else.

    sq:{queue}:ready         stream   waiting and active jobs; fields task, payload, headers
    sq:{queue}:alone         stream   suspects: jobs that crashed their workers, delivered one at a time
    sq:{queue}:alone:claim   string   the worker that waits until it is idle, on behalf of suspects; expires in seconds
    sq:{queue}:parked        hash     id -> envelope of a delayed or held job
    sq:{queue}:delayed       zset     id by due time in ms
    sq:{queue}:moved         hash     id -> "lane entry" of a job that re-entered a stream
    sq:{queue}:finished      hash     id -> record of a finished job
    sq:{queue}:completed     list     ids of completed jobs, oldest first
    sq:{queue}:failures      zset     ids of failed jobs by the time of their end in ms
    sq:{queue}:workers       zset     worker by number of beats; a fraction counts beats by others on its behalf
    sq:{queue}:upkeep:SEAT   string   who does the queue's upkeep: seat 1 all of it, 2 helps, 3 only recovers; expires
    sq:{queue}:upkeep:SEAT:look  string  who looked last whether it is free, of those who stand by; expires
    sq:{queue}:producer:ID   string   last batch of one producer and the ids it was answered; expires
    sq:queues                set      names of all queues
    sq:workers               hash     worker -> what it says of itself (JSON)

And two channels of a queue (Pub/Sub keeps nothing in the server):

    sq:{queue}:ended         what finished: ids, and records as long as they are short (to who waits for results)
    sq:{queue}:signals       a due time that is earlier than the last known one; who comes to do upkeep (to who does it)

The braces are a Redis Cluster hash tag: all keys of a queue live in one slot, so each script is safe there.
"""

from __future__ import annotations

import re
from typing import Final

from streamq.errors import ConfigurationError

GROUP: Final = "workers"
"""The consumer group of every lane."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def is_name(text: object) -> bool:
    """Whether it may name a queue or a worker: 1 to 64 letters, digits, ``_``, ``.`` or ``-``."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


class Keys:
    """The keys of one queue.

    Raises ``ConfigurationError`` for a name that is not 1 to 64 letters, digits, ``_``, ``.`` or ``-``.
    """

    __slots__ = (
        "alone", "alone_claim", "completed", "delayed", "ended", "failed", "failures", "finished", "moved",
        "parked", "producer", "queue", "ready", "signals", "upkeep", "workers",
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
        self.alone_claim = of + "alone:claim"
        self.parked = of + "parked"
        self.delayed = of + "delayed"
        self.moved = of + "moved"
        self.finished = of + "finished"
        self.completed = of + "completed"
        self.failures = of + "failures"
        self.failed = of + "failed"  # a list in earlier versions; the pruner moves it into `failures`
        self.ended = of + "ended"
        self.signals = of + "signals"
        self.workers = of + "workers"
        self.producer = of + "producer:"
        self.upkeep = of + "upkeep:"

    def seats(self, *numbers: int) -> tuple[str, ...]:
        """The keys of seats of the upkeep."""
        return tuple(f"{self.upkeep}{number}" for number in numbers)

    def look(self, number: int) -> str:
        """The key of the last look at a seat, by who stands by."""
        return f"{self.upkeep}{number}:look"

    @property
    def outdated(self) -> tuple[str, str]:
        """What earlier versions kept for their signals; the pruner removes it."""
        of = self.ready.removesuffix("ready")
        return of + "events", of + "wake"

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
