"""Jobs on their way to a queue together, under a number by which they are added once, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model.envelope import New
from streamq.redis import scripts

PRODUCER_MEMORY_MS: Final = 3_600_000
"""How long the server remembers a producer's last batch."""
ANSWER: Final = 2.0
"""Seconds for which the answer of a server that has waited for its replicas, or its disk, may be on its way."""


class Producer(NamedTuple):
    """The name under which the batches of one queue are numbered; the server remembers the last one of each name."""

    queue: str
    script: scripts.Script
    keys: scripts.Named
    record: str
    remembered: int = PRODUCER_MEMORY_MS
    """Milliseconds for which its last batch is."""


class Placed(NamedTuple):
    """What is known of the place of jobs, by who has found it."""

    generation: int = 0
    """The last change of partitions that was known where they were placed: after a later one they are refused."""
    asks: bytes = b""
    """Groups and keys as a JSON list: it is a partition that is their home no more, and takes them while any of these
    is there."""
    request: str = ""
    """The request they are of, under whose name they are added once."""


UNPLACED: Final = Placed()


class Batch(NamedTuple):
    """Jobs under a number of their producer: sent again under it, they are answered and not added."""

    producer: Producer
    number: int
    jobs: Sequence[New]
    placed: Placed = UNPLACED


class Stale(StreamqError):
    """The partitions of the queue have changed, or what its jobs are of is not here any more (``is_home``): nothing was
    added."""

    def __init__(self, *, is_home: bool = False) -> None:
        self.is_home = is_home
        super().__init__("the partitions of the queue are others by now")


Answer = list[str] | StreamqError
"""What became of a batch: the ids of its jobs, or why there are none."""
