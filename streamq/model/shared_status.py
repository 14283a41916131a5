"""How a shared limit is: what it allows, how much of it is drawn, and by which queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamq.model.group_status import pause_of
from streamq.model.limit import Limit, Rate, held, limit_of
from streamq.model.places import queue_of
from streamq.model.steering import Pause


@dataclass(frozen=True, slots=True)
class SharedStatus:
    """How a shared limit is now."""

    name: str
    limit: Limit
    """What holds: what operators told goes before what code says."""
    told: Limit
    """What operators told."""
    held: int
    """Units that queues have for jobs that run: at most the limit's concurrency."""
    used: int
    """Units that were started within its window, or are leased to be; 0 without a rate."""
    queues: dict[str, int]
    """The queues that draw from it, and how many units each has."""
    waiting: tuple[str, ...]
    """Those of them of which jobs wait for it."""
    paused: Pause | None

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it; times in RFC 3339."""
        rate = self.limit.rate
        return {
            "name": self.name, "limit": self.limit.asdict(), "told": self.told.asdict(), "held": self.held,
            "used": self.used, "window": rate.seconds if isinstance(rate, Rate) else None,
            "queues": self.queues, "waiting": list(self.waiting),
            "paused": self.paused.asdict() if self.paused else None,
        }  # fmt: skip


def status(name: str, said: Sequence[Any]) -> SharedStatus:
    """A shared limit, by what shared_status.lua answers."""
    now, code, told, pause, used = said[:5]
    rows = [
        (said[at].decode("utf-8", "replace"), said[at + 1], said[at + 2]) for at in range(5, len(said), 4)
    ]
    queues: dict[str, int] = {}
    for queue, units, _ in sorted(rows):
        queues[queue_of(queue)] = queues.get(queue_of(queue), 0) + units
    return SharedStatus(
        name, held(limit_of(code, told)), limit_of(told), sum(queues.values()), used, queues,
        tuple(dict.fromkeys(queue_of(queue) for queue, _, needs in sorted(rows) if needs)), pause_of(pause, now),
    )  # fmt: skip
