"""A queue that moves with all its partitions: each moves as a queue of its own, after all of them were closed to others
on the server where they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from streamq.model.moving import HERE, UNDER_WAY
from streamq.model.partitions import Partitions
from streamq.model.places import queue_of
from streamq.moving.lead import SAME
from streamq.moving.mover import Moved, Mover
from streamq.moving.plan import Planned, planned
from streamq.noun_errors import MoveRefused
from streamq.store.store import Store


def by_queue(names: Collection[str]) -> dict[str, list[str]]:
    """The partitions that there are any keys of, by their queues."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(queue_of(name), []).append(name)
    return found


class Whole:
    """The move of one queue, of which ``names`` are the partitions with any keys."""

    def __init__(self, source: Store, target: Store, queue: str, names: Sequence[str], **how: Any) -> None:
        self._from, self._to, self._queue, self._named = source, target, queue, names
        self._mover: Callable[[str], Mover] = lambda name: Mover(source, target, name, **how)

    async def planned(self) -> Planned:
        """What would become of it."""
        parts = [await planned(self._from, self._to, name) for name in await self._names()]
        problem = await self._problem() or next((part.problem for part in parts if part.problem), "")
        phases = {part.phase for part in parts}
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part.counts)
        phase = parts[0].phase if len(phases) == 1 else ", ".join(sorted(phases))
        return Planned(self._queue, phase, {state: counts[state] for state in parts[0].counts}, problem)

    async def run(self) -> Moved:
        """Move it, or go on with that. Raises as ``Mover.run``."""
        if problem := await self._problem():
            raise MoveRefused(self._queue, problem)
        names = await self._names()
        await self._to.partition.adopt(self._queue, await self._its(self._from))
        if len(names) > 1:
            for name in names:  # none of them is open there while another has not come
                await self._mover(name).begin()
        moved = Moved(self._queue, {})
        for name in names:
            part = await self._mover(name).run()
            counts = {state: moved.counts.get(state, 0) + count for state, count in part.counts.items()}
            moved = replace(
                part, queue=self._queue, counts=counts or moved.counts, keys=moved.keys + part.keys,
                elements=moved.elements + part.elements, seconds=moved.seconds + part.seconds,
            )  # fmt: skip
        return moved

    async def undo(self) -> None:
        """It opens again where it was. Raises as ``Mover.undo``."""
        names = await self._names()
        arrived = [name for name in names if (await self._to.migrations.state(name)).phase == HERE]
        if arrived and len(names) > 1:
            raise MoveRefused(
                self._queue,
                "some of its partitions have arrived: go on with `streamq migrate`, then move it back",
            )
        begun = [name for name in names if (await self._from.migrations.state(name)).phase in UNDER_WAY]
        for name in (
            begun or names[:1]
        ):  # whoever was killed has not begun with all of them; none at all is refused
            await self._mover(name).undo()
        if not (await self._its(self._from)).is_whole:
            await self._to.partition.disown(self._queue)

    async def _names(self) -> list[str]:
        its = await self._its(self._from)
        return [
            *its.names(self._queue),
            *[name for name in self._named if name not in its.names(self._queue)],
        ]

    async def _its(self, store: Store) -> Partitions:
        await store.partition.refresh(fresh=0.0)
        return store.partition.known(self._queue)

    async def _problem(self) -> str:
        sides = [(each.servers.names, each.settings.prefix) for each in (self._from, self._to)]
        if sides[0] == sides[1]:
            return SAME
        its, there = await self._its(self._from), await self._its(self._to)
        if its.phase != "settled":
            return "its partitions are being changed: wait until `streamq queue partition` tells that they are not"
        if not there.is_whole and (there.count, there.reach) != (its.count, its.reach):
            return f"it has {there.count} partitions there, and {its.count} here"
        return ""
