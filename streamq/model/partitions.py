"""Partitions: one queue as several sets of keys, each with a hash tag of its own, which a cluster spreads over nodes.

How many a queue has, and what becomes of a change, is kept in Redis, the same for all processes. (``model.places`` has
their names.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from streamq.errors import ConfigurationError
from streamq.model import codec
from streamq.model.places import MOST, partition
from streamq.model.shown import as_given

Phase = Literal["closing", "moving", "settled"]
"""What becomes of a change: the old partitions are closed to who does not know of it yet; groups and keys that have a
new home go there one by one, each when none of its jobs is left; all have."""


@dataclass(frozen=True, slots=True)
class Partitions:
    """How many partitions a queue has, as Redis keeps it."""

    count: int = 1
    """Among so many are new jobs spread."""
    reach: int = 1
    """So many may have jobs: more than ``count`` while those beyond drain."""
    was: int = 1
    """What ``count`` was before the last change, while that goes on."""
    generation: int = 0
    """The number of the last change: the time of it in seconds since the epoch, so that none comes twice, also where a
    queue was removed."""
    phase: Phase = "settled"
    told: bool = False
    """Whether an operator said it: then what code says does not count."""
    first: bool = False
    """Whether the last change was from none: then keys were unique in all of it."""
    walker: str = ""
    """The process that notes what stays where it is, in `closing`; for others it is until ``until``, in ms since the
    epoch."""
    until: int = 0
    drained: int = 0
    """Since when those beyond ``count`` are empty, in seconds since the epoch; 0 where they are not."""

    had: int = 1
    """How many there were before the last change, those that were draining among them."""

    def names(self, queue: str) -> tuple[str, ...]:
        """The partitions that may have jobs."""
        return tuple(partition(queue, number) for number in range(self.reach))

    @property
    def is_changing(self) -> bool:
        """Whether there is anything left to do of the last change."""
        return self.phase != "settled" or self.reach > self.count

    @property
    def is_whole(self) -> bool:
        """Whether the queue is as one that never had partitions."""
        return self == WHOLE

    def changed(self, count: int, *, told: bool, now: int) -> Partitions:
        """These with another count: what begins then, ``now`` in seconds since the epoch."""
        reach, generation = max(self.reach, count), max(self.generation + 1, now)
        first = self.generation == 0
        return Partitions(count, reach, self.count, generation, "closing", told, first, had=self.reach)

    def asdict(self) -> dict[str, Any]:
        """What people are told of them, as JSON has it."""
        return {
            "count": self.count, "reach": self.reach, "was": self.was, "phase": self.phase, "told": self.told,
        }  # fmt: skip

    def written(self) -> bytes:
        """As Redis keeps it."""
        return codec.dumps({name: getattr(self, name) for name in self.__slots__})


WHOLE: Final = Partitions()
"""Of a queue that never had any."""


def read(text: bytes | None) -> Partitions:
    """What Redis keeps; ``WHOLE`` where that is nothing, or cannot be read."""
    try:
        said = codec.loads(text) if text else {}
        found = Partitions(**{name: said[name] for name in Partitions.__slots__ if name in said})
        numbers = (found.count, found.reach, found.was)
        fits = all(type(each) is int and 1 <= each <= MOST for each in numbers) and found.count <= found.reach
        return found if fits and type(found.generation) is int else WHOLE
    except (ValueError, TypeError, KeyError):
        return WHOLE


def checked_count(count: Any) -> int:
    """A number of partitions. Raises ``ConfigurationError``."""
    if type(count) is int and 1 <= count <= MOST:
        return count
    raise ConfigurationError(
        f"partitions={as_given(count)} is not possible: use a whole number from 1 to {MOST}"
    )


def shares(whole: int, count: int) -> list[int]:
    """A number as so many parts, as equal as can be."""
    return [whole // count + (n < whole % count) for n in range(count)]
