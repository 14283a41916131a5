"""Partitions: one queue as several sets of keys, each with a hash tag of its own, which a cluster spreads over nodes.

How many a queue has, and what becomes of a change, is kept in Redis, the same for all processes. (``model.places`` has
their names.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from streamq.errors import ConfigurationError
from streamq.model import codec
from streamq.model.places import MOST, partition
from streamq.model.shown import as_given

NONE: Final = 0
"""The number of partitions of a queue that never had any."""
GOING_ON: Final = 4
"""Changes of a queue that may go on at a time: a producer asks one home for each, for what may still be there."""

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
    former: tuple[int, ...] = ()
    """What ``count`` was before each change that goes on, the last one first: anything may still be at the home that it
    had then. ``NONE`` stands for a queue that had no partitions: then keys were unique in all of it."""
    generation: int = 0
    """The number of the last change: the time of it in seconds since the epoch, so that none comes twice, also where a
    queue was removed."""
    phase: Phase = "settled"
    told: bool = False
    """Whether an operator said it: then what code says does not count."""
    walker: str = ""
    """The process that notes what stays where it is, in `closing`; for others it is until ``until``, in ms since the
    epoch."""
    until: int = 0
    drained: int = 0
    """Since when those beyond ``count`` are empty, in seconds since the epoch; 0 where they are not."""
    had: int = 1
    """How many there were before the last change, those that were draining among them."""
    staying: int = 0
    """How many groups and keys were seen last to stay where they were."""
    examples: tuple[str, ...] = ()
    """Some of them, as people know them."""

    def names(self, queue: str) -> tuple[str, ...]:
        """The partitions that may have jobs."""
        return tuple(partition(queue, number) for number in range(self.reach))

    @property
    def was(self) -> int:
        """What ``count`` was before the last change, while that goes on; else what it is."""
        return _plain(self.former[0]) if self.former else self.count

    @property
    def is_changing(self) -> bool:
        """Whether there is anything left to do of the last change."""
        return self.phase != "settled" or self.reach > self.count

    @property
    def is_whole(self) -> bool:
        """Whether the queue is as one that never had partitions."""
        return self == WHOLE

    @property
    def may_go_back_to(self) -> tuple[int, ...]:
        """The former numbers: each may come back at any time."""
        return tuple(map(_plain, self.former))

    def may_become(self, count: int) -> bool:
        """Whether the number may be changed: as long as not too many changes go on."""
        return len(self.former) < GOING_ON or count in self.may_go_back_to

    def changed(self, count: int, *, told: bool, now: int) -> Partitions:
        """These with another count: what begins then, ``now`` in seconds since the epoch."""
        reach, generation = max(self.reach, count), max(self.generation + 1, now)
        last = self.count if self.generation else NONE
        former = dict.fromkeys(each for each in (last, *self.former) if each != count)
        return Partitions(count, reach, tuple(former), generation, "closing", told, had=self.reach)

    def moving(self, staying: int, examples: Iterable[str]) -> Partitions:
        """These when so much stays where it is, and it is known what does."""
        return replace(self, phase="moving", walker="", until=0, staying=staying, examples=tuple(examples))

    def settled(self) -> Partitions:
        """These when nothing is left to move."""
        return replace(self, phase="settled", former=(), walker="", until=0, staying=0, examples=())

    def asdict(self) -> dict[str, Any]:
        """What people are told of them, as JSON has it."""
        return {
            "count": self.count, "reach": self.reach, "was": self.was, "phase": self.phase, "told": self.told,
            "staying": self.staying, "examples": list(self.examples),
        }  # fmt: skip

    def written(self) -> bytes:
        """As Redis keeps it."""
        return codec.dumps({name: getattr(self, name) for name in self.__slots__})


def _plain(count: int) -> int:
    """As people know it: a queue that has no partitions has one."""
    return max(1, count)


WHOLE: Final = Partitions()
"""Of a queue that never had any."""


def read(text: bytes | None) -> Partitions:
    """What Redis keeps; ``WHOLE`` where that is nothing, or cannot be read."""
    try:
        said = codec.loads(text) if text else {}
        said |= {name: tuple(said[name]) for name in ("former", "examples") if name in said}
        found = Partitions(**{name: said[name] for name in Partitions.__slots__ if name in said})
        numbers = (found.count, found.reach, *(each for each in found.former if each != NONE))
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
