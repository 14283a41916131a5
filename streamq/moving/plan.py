"""What the move of a queue would be: a look at both servers, which changes nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from streamq.model.moving import AWAITED, CHECKED, CLOSED, HERE, LEAVING, LEFT, Move
from streamq.store.store import Store


@dataclass(frozen=True, slots=True)
class Planned:
    """One queue as it is on both servers."""

    queue: str
    phase: str
    """``open``, or how far its move is: ``leaving``, ``closed``, ``left``; ``awaited``, ``checked``."""
    counts: dict[str, int]
    """Its jobs by state."""
    problem: str
    """What is in the way; empty for nothing."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        return asdict(self)


async def planned(source: Store, target: Store, queue: str) -> Planned:
    """What would become of a queue."""
    here, there = await source.migrations.state(queue), await target.migrations.state(queue)
    is_aside = here.phase in (CLOSED, LEFT)
    counts = await (source.migrations.counts(queue) if is_aside else source.queues.counts(queue))
    phase = "open" if here.phase in ("", HERE) else here.phase
    return Planned(queue, phase, counts.asdict(), await _problem(target, queue, here, there))


async def _problem(target: Store, queue: str, here: Move, there: Move) -> str:
    if here.phase == LEFT:
        return "" if there.id == here.id else f"it has left this server: it goes to {here.peer}"
    if here.phase in (AWAITED, CHECKED):
        return f"it is on its way to this server, from {here.peer}"
    if here.phase in (LEAVING, CLOSED) and there.phase and there.id != here.id:
        return f"it is on its way to {here.peer}"
    if there.phase in (AWAITED, CHECKED, HERE) and there.id == here.id:
        return ""
    found = {state: count for state, count in (await target.queues.counts(queue)).asdict().items() if count}
    if found:
        return f"it has jobs there: {', '.join(f'{count:,} {state}' for state, count in found.items())}"
    return ""
