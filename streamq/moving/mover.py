"""A queue moves from one server to another: closed here, copied, compared, opened there.

At each moment at most one of the two is open, so no job is in both and no producer adds where nobody looks. Each step
may be done again, and by another process: what is known of the move lies on both servers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from streamq.model.clock import monotonic
from streamq.model.counted import counted
from streamq.model.moving import AWAITED, CHECKED, CLOSED, HERE, LEAVING, LEFT, Move, comes_from, leads_to
from streamq.moving.copying import Copying, Told
from streamq.moving.lead import leading, token
from streamq.noun_errors import MoveRefused, MoveUnfinished
from streamq.store.store import Store

LOOK: Final = 0.2
"""Seconds between two looks at whether jobs run."""
COUNTING: Final = 1.5
"""Seconds in which workers tell what their last jobs came to: they do so each second."""


@dataclass(slots=True)
class Moved:
    """What a move came to."""

    queue: str
    counts: dict[str, int]
    """How many jobs were in each state when the queue was closed; empty where it had moved before."""
    keys: int = 0
    """How many keys were copied, and compared."""
    elements: int = 0
    seconds: float = 0.0
    """How long the queue was closed, as far as this process has seen it."""

    def asdict(self) -> dict[str, Any]:
        """It as JSON has it."""
        told = {"queue": self.queue, "state": "moved", "counts": self.counts, "keys": self.keys}
        return {**told, "elements": self.elements, "closed_seconds": round(self.seconds, 3)}


class Mover:
    """The move of one queue. ``say`` is told each step in words, ``bar`` makes what is told how far the copy is."""

    def __init__(
        self, source: Store, target: Store, queue: str, *, wait: float | None = None,
        say: Callable[[str], None] = lambda _: None, told: Told = lambda _: None,
    ) -> None:  # fmt: skip
        self._from, self._to, self._queue = source, target, queue
        self._source, self._target = source.migrations, target.migrations
        self._wait, self._say, self._told = wait, say, told
        self._token = token()

    async def run(self) -> Moved:
        """Move it, or go on with that.

        Raises ``MoveRefused`` with what is in the way, and ``MoveUnfinished`` where jobs run for too long.
        Killed at any moment, it goes on when it is called again with the same servers.
        """
        async with leading(self._source, self._target, self._queue, self._token):
            move = await self._begun()
            moved = Moved(self._queue, {})
            if move.phase != LEFT:
                await self._closed(move)
                began = monotonic()
                await self._arrived(move, moved)
                moved.seconds = monotonic() - began
                await self._cleared(move)
            return moved

    async def begin(self) -> None:
        """Both servers know of the move. Raises ``MoveRefused``."""
        async with leading(self._source, self._target, self._queue, self._token):
            await self._begun()

    async def undo(self) -> None:
        """The queue opens again where it was. Raises ``MoveRefused`` where it does not move, or has arrived."""
        async with leading(self._source, self._target, self._queue, self._token):
            here, there = await self._source.state(self._queue), await self._target.state(self._queue)
            if here.phase not in (LEAVING, CLOSED):
                raise MoveRefused(self._queue, f"no move of it is under way{_to(here)}")
            if there.id == here.id and there.phase != AWAITED:
                raise MoveRefused(
                    self._queue, "it has arrived: go on with `streamq migrate`, then move it back"
                )
            if there.id == here.id:
                await self._target.clear(self._queue, here.id, AWAITED)
                await self._target.give_up(self._queue, here.id, AWAITED)
            await self._source.give_up(self._queue, here.id, here.phase)

    # -- steps ------------------------------------------------------------------------------------------------

    async def _begun(self) -> Move:
        """The move, which both servers know of then."""
        here, there = await self._source.state(self._queue), await self._target.state(self._queue)
        if here.phase == LEFT:
            if there.id == here.id and there.phase == HERE:
                return here
            raise MoveRefused(self._queue, f"it has left this server{_to(here)}")
        if here.phase in (AWAITED, CHECKED):
            raise MoveRefused(self._queue, f"it is on its way to this server, from {here.peer}")
        move = there.id if self._is_ours(there) else secrets.token_hex(8)
        if here.phase in (LEAVING, CLOSED):
            if there.id != here.id and here.peer != _name(self._to):
                raise MoveRefused(self._queue, f"it is on its way to {here.peer}; --undo gives that up")
            move = here.id
        await self._check_schedules(move)
        peer = _name(self._from)
        said = await self._target.expect(self._queue, move, peer, comes_from(peer))
        if said == "used":
            why = f"it has jobs or records at {_name(self._to)}, and a queue moves to an empty one"
            raise MoveRefused(self._queue, why)
        if said == "busy":
            raise MoveRefused(
                self._queue, f"another move of it is under way at {_name(self._to)}{_to(there)}"
            )
        return await self._source.begin(self._queue, move, _name(self._to))

    def _is_ours(self, there: Move) -> bool:
        """Whether a process was killed before this server knew of the move."""
        return there.phase == AWAITED and there.peer == _name(self._from)

    async def _check_schedules(self, move: str) -> None:
        names = await self._source.scheduled(self._queue)
        taken = {
            name: place.split()[0] for name, place in (await self._target.places(names)).items()
            if place.split()[0] != self._queue
        }  # fmt: skip
        if taken and (await self._target.state(self._queue)).id != move:
            name, queue = next(iter(taken.items()))
            raise MoveRefused(
                self._queue, f"its schedule {name!r} is that of queue {queue!r} at {_name(self._to)}"
            )

    async def _closed(self, move: Move) -> None:
        """No job of the queue runs, and nobody can add one."""
        began, is_idle = monotonic(), False
        while move.phase == LEAVING:
            reason = f"it moves to {_name(self._to)}"
            await self._from.steering.pause(self._queue, None, reason, "streamq migrate", "")
            active = (await self._from.queues.counts(self._queue)).active
            if not active and not is_idle:
                is_idle = True
                await asyncio.sleep(COUNTING)
            active = active or await self._source.leave(self._queue, move.id, leads_to(_name(self._to)))
            if not active:
                break
            self._say(
                f"{self._queue}: waiting for {counted(active, 'job')} that {'runs' if active == 1 else 'run'}"
            )
            if self._wait is not None and monotonic() - began >= self._wait:
                raise MoveUnfinished(self._queue, active)
            await asyncio.sleep(LOOK)
        await self._source.set_aside(self._queue, move.id)

    async def _arrived(self, move: Move, moved: Moved) -> None:
        """All of it is copied and compared, and the queue opens there."""
        phase = (await self._target.state(self._queue)).phase
        moved.counts = (await self._source.counts(self._queue)).asdict()
        if phase == AWAITED:
            copying = Copying(self._source, self._target, self._queue, self._token, self._told)
            moved.elements = await copying.size()
            self._say(f"{self._queue}: copying {counted(moved.elements, 'element')}")
            moved.keys = await copying.run()
            self._check_counts(moved.counts, (await self._target.counts(self._queue)).asdict())
            await self._target.confirm(self._queue)
            await self._target.go_on(self._queue, move.id, AWAITED, CHECKED)
            phase = CHECKED
        if phase == CHECKED:
            await self._place_shared()
            await self._target.open(self._queue, move.id, CHECKED)

    def _check_counts(self, here: dict[str, int], there: dict[str, int]) -> None:
        if here != there:
            raise MoveRefused(self._queue, f"the counts differ: {here} here, {there} there")

    async def _place_shared(self) -> None:
        """What concerns the queue and is kept for all of them: where its schedules are, and shared limits."""
        names = await self._source.scheduled(self._queue)
        await self._target.place(await self._source.places(names))
        await self._target.tell_shared(await self._source.shared_told())

    async def _cleared(self, move: Move) -> None:
        """Nothing is left but texts that say where it went."""
        await self._target.confirm(self._queue)
        names = await self._source.scheduled(self._queue)
        await self._source.forget(self._queue, names)
        await self._source.clear(self._queue, move.id, CLOSED)
        await self._source.go_on(self._queue, move.id, CLOSED, LEFT)


def _name(store: Store) -> str:
    return ", ".join(store.servers.names)


def _to(move: Move) -> str:
    return f": it goes to {move.peer}" if move.peer else ""
