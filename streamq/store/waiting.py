"""Waiting for a job where queues live on several servers, and no read may block: it would take a connection for each.

A worker that finds nothing in a queue puts its name on a list there and is told of the next job, on a channel of its
own: the script that adds a job takes one name off the list. It puts its name there first and looks then, so nothing
comes between. Who has no slot any more when it is told, passes it on. A job that another program adds by XADD alone is
seen by the next beat in its queue.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from streamq.errors import StreamqError
from streamq.model.clock import monotonic
from streamq.model.lanes import QueueLane
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.store.access import Access

MOMENT: Final = 0.003
"""Seconds in which a worker that is told between two looks may look itself, before it tells another."""

Lanes = tuple[QueueLane, ...]
Command = Callable[[Lanes], tuple[Any, ...]]
"""Makes the read of the lanes of one queue."""


class Waiting:
    """What one worker waits for, in queues of several servers."""

    def __init__(self, access: Access, links: Links, worker: str) -> None:
        self._access, self._links, self._worker = access, links, worker
        self._empty: dict[str, Lanes] = {}
        """Queues that were found empty after our name was put on their lists, with the lanes that were looked at."""
        self._listening: dict[str, Callable[[], None]] = {}
        self._off: set[str] = set()
        """Queues on whose lists our name is not, as we were told."""
        self._told: set[str] = set()
        """Queues of which we were told since they were last looked at."""
        self._bell = asyncio.Event()
        self._woken = self._waits = False
        self._passing: set[asyncio.Task[None]] = set()

    async def wait(
        self, places: Sequence[QueueLane], count: int, seconds: float, read: Command
    ) -> dict[Lanes, Any]:
        """The replies to the reads of lanes, for queues in which there was something, or that were refused.

        ``read`` makes the command that reads up to ``count`` jobs of each of the lanes of one queue without waiting.
        Empty when nothing came within so many seconds, or ``wake`` was called.
        """
        lanes: dict[str, Lanes] = {}
        for place in places:
            lanes[place[0]] = (*lanes.get(place[0], ()), place)
        self._listen(lanes)
        until, self._woken, self._waits = monotonic() + seconds, False, True
        try:
            while True:
                self._bell.clear()
                if (
                    self._woken
                ):  # also when a job has come: the lanes that are to be read may be others by now
                    return {}
                if found := await self._look([of for of in lanes.values() if self._is_due(of)], count, read):
                    return found
                if (left := until - monotonic()) <= 0:
                    return {}
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await self._bell.wait()
        finally:
            self._waits = False

    def _is_due(self, lanes: Lanes) -> bool:
        return self._empty.get(lanes[0][0]) != lanes

    async def _look(self, due: Sequence[Lanes], count: int, read: Command) -> dict[Lanes, Any]:
        """Read them, each after our name was put on the list of its queue, unless it is there."""
        queues, commands = list[str](), list[tuple[Any, ...]]()
        for lanes in due:
            (queue, _), *_ = lanes
            keys = self._access.keys(queue)
            own = [
                ("LREM", keys.waiters, 0, self._worker),
                ("RPUSH", keys.waiters, self._worker),
                read(lanes),
            ]
            own = own[2:] if queue in self._empty else own[1:] if queue in self._off else own
            queues += [queue] * len(own)
            commands += own
        self._told.difference_update(queues)
        self._off.difference_update(queues)
        replies = await self._links.commands(queues, commands) if due else []
        found: dict[Lanes, Any] = {}
        last = dict(zip(queues, replies, strict=True))  # of each queue the last: that of its read
        for lanes in due:
            queue, reply = lanes[0][0], last[lanes[0][0]]
            if reply is not None:
                found[lanes] = reply
            if not _is_all(reply, count):
                self._empty.pop(queue, None)
            elif queue not in self._told:  # as it may be just after the look, before its reply
                self._empty[queue] = lanes
        return found

    # -- being told -----------------------------------------------------------------------------------------

    def _listen(self, queues: Sequence[str] | dict[str, Lanes]) -> None:
        channels = {queue: self._access.keys(queue).woken + self._worker for queue in queues}
        if channels.keys() != self._listening.keys():
            self._access.signals.listen_only(self._listening, channels, self._heard)

    def _heard(self, queue: str, message: bytes | None) -> None:
        """There is something; or, without a message, there may be."""
        self._told.add(queue)
        self._empty.pop(queue, None)
        self._bell.set()
        if message is not None:
            self._off.add(queue)
        if message is not None and not self._waits:
            passing = asyncio.ensure_future(self._pass_on_soon(queue))
            self._passing.add(passing)
            passing.add_done_callback(self._passing.discard)

    async def _pass_on_soon(self, queue: str) -> None:
        """Unless it is looked at in a moment, which costs the server nothing more."""
        await asyncio.sleep(MOMENT)
        if queue in self._told:
            await self._pass_on(queue)

    async def _pass_on(self, queue: str) -> None:
        with contextlib.suppress(StreamqError):  # then it waits until somebody looks
            async with self._access.pool.links() as links:
                await scripts.PASS_ON.run(links.of(queue), self._access.keys(queue))

    def suspect(self, queues: Collection[str]) -> None:
        """Something lies there: it may be a job that nobody was told of."""
        if found := self._empty.keys() & set(queues):
            for queue in found:
                del self._empty[queue]
            self._bell.set()

    def wake(self) -> None:
        """End the waiting."""
        self._woken = True
        self._bell.set()

    async def close(self) -> None:
        """Listen no more. Of what we were told and did not look at, another is told."""
        self._access.signals.listen_only(self._listening, {}, self._heard)
        for queue in list(self._told):
            await self._pass_on(queue)
        for passing in list(self._passing):
            await passing


def _is_all(reply: Any, count: int) -> bool:
    """Whether nothing more was there than was read."""
    return reply is None or (isinstance(reply, list) and all(len(entries) < count for _, entries in reply))
