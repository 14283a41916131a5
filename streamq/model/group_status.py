"""How a group is: what waits and runs of it, its limits, and whether it is paused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from streamq.model import codec
from streamq.model.clock import from_ms
from streamq.model.limit import Limit, Rate, held, limit_of
from streamq.model.steering import Pause
from streamq.times import rfc3339

FOREVER = 2**53 - 1
"""The end of a pause that does not end by itself."""


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """How a group is now."""

    name: str
    waiting: int
    """How many of its jobs the gate holds; of a tenant those of its parts, too."""
    active: int
    """How many were let through and have not ended; with a strict order also one that waits for its next attempt."""
    limit: Limit
    """What holds for it: what is said of it alone goes before what is said of every group."""
    own: Limit
    """What operators told of it alone."""
    used: int
    """How many of its starts are in the window of its rate; 0 without a rate."""
    paused: Pause | None
    oldest: datetime | None
    """The birth of that of its jobs that waits longest; ``None`` when none does."""
    age: float
    """The seconds since then; 0 when none waits."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it; times in RFC 3339."""
        rate = self.limit.rate
        return {
            "name": self.name, "waiting": self.waiting, "active": self.active,
            "limit": self.limit.asdict(), "own_limit": self.own.asdict(),
            "used": self.used, "window": rate.seconds if isinstance(rate, Rate) else None,
            "paused": self.paused.asdict() if self.paused else None,
            "oldest": rfc3339(self.oldest), "age": round(self.age, 3),
        }  # fmt: skip


class Row(NamedTuple):
    """What group_status.lua answers of one group."""

    waiting: int
    active: int
    general: bytes
    own: bytes
    pause: bytes
    used: int
    birth: int


def status(name: str, row: Sequence[Any], now: int, parts: int = 0) -> GroupStatus:
    """A group as it is ``now``; so many jobs of its ``parts`` wait."""
    told = Row(*row)
    age = max(0.0, (now - told.birth) / 1000) if told.birth else 0.0
    return GroupStatus(
        name, told.waiting + parts, told.active, held(limit_of(told.general, told.own)), limit_of(told.own),
        told.used, pause_of(told.pause, now), from_ms(told.birth) if told.birth else None, age,
    )  # fmt: skip


def pause_of(raw: bytes, now: float) -> Pause | None:
    """The pause of a group, as the key `gate:limits` has it; ``None`` for one that is over."""
    ends, _, said = raw.partition(b" ")
    if not ends.isdigit() or int(ends) <= now:
        return None
    until = None if int(ends) >= FOREVER else from_ms(int(ends))
    try:
        told = codec.loads(said)
        since = told.get("since_ms")
        return Pause(
            str(told.get("reason", "")),
            str(told.get("by", "")),
            None if since is None else from_ms(since),
            until,
        )
    except (ValueError, TypeError, AttributeError, OverflowError):
        return Pause("(what is written of this pause cannot be read)", until=until)
