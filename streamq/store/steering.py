"""Steering: what operators tell a queue, and what workers and people read of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streamq.errors import StreamqError
from streamq.model.lanes import READY
from streamq.model.steering import MAX_WAITING, PAUSED, TASK, Steering, steering
from streamq.redis import scripts
from streamq.redis.answers import readable
from streamq.redis.links import Links
from streamq.redis.replies import pairs
from streamq.store.access import Access

RESUMED_AT_ONCE: Final = 50
"""Held jobs that one call lets wait: a fraction of a millisecond of the server's time."""


class Resumed(NamedTuple):
    """What one step let wait, and what else there is to do in a queue."""

    resumed: int
    more: bool
    """Whether there may be more of them now."""
    operations: bool
    """Whether there are background operations."""
    next_end: float | None
    """Seconds until the next pause of a task ends by itself."""


class SteeringStore:
    """Commands: pauses and bounds. Queries: what was told to a queue."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def pause(self, queue: str, task: str | None, reason: str, by: str, ends: str) -> None:
        """Pause a queue, or a task in it. ``ends`` is a due time (``model.due``), or empty."""
        async with self._access.pool.links() as links:
            now = await scripts.PAUSE.run(
                links.of(queue), self._access.keys(queue), _subject(task), reason, by, ends
            )
        self._access.clock.set(now)

    async def resume(self, queue: str, task: str | None) -> bool:
        """End a pause. Returns whether there was one."""
        return await self._tell(queue, _subject(task), "")

    async def resume_held(self, links: Links, queue: str) -> Resumed:
        """One step: some of those held jobs wait again whose task is not paused any more."""
        reply = await scripts.RESUME.run(links.of(queue), self._access.keys(queue), RESUMED_AT_ONCE)
        resumed, more, operations, next_end = reply
        return Resumed(resumed, bool(more), bool(operations), next_end / 1000 if next_end else None)

    async def set_max_waiting(self, queue: str, bound: int | None) -> bool:
        """How many jobs may wait; ``None`` for any number. Returns whether that changed anything."""
        return await self._tell(queue, MAX_WAITING, "" if bound is None else str(bound))

    async def _tell(self, queue: str, name: bytes, value: str) -> bool:
        async with self._access.pool.links() as links:
            return bool(await scripts.TELL.run(links.of(queue), self._access.keys(queue), name, value))

    # -- queries --------------------------------------------------------------------------------------------

    async def told(self, queue: str) -> Steering:
        """What was told to a queue."""
        return (await self.told_all((queue,)))[queue]

    async def told_all(self, queues: Sequence[str]) -> dict[str, Steering]:
        """The same of several queues; of one whose keys are somebody else's, nothing. Raises what else went wrong."""
        async with self._access.pool.links() as links:
            replies = await self.told_each(links, queues)
        return dict.fromkeys(queues, Steering()) | dict(readable(replies, replies.values()))

    async def told_each(self, links: Links, queues: Sequence[str]) -> Mapping[str, Steering | StreamqError]:
        """The same of several queues, or what went wrong in each."""
        replies = await scripts.TOLD.run_over(
            links, list(queues), [(self._access.keys(q), ()) for q in queues]
        )
        return {
            queue: reply if isinstance(reply, StreamqError) else self._read(queue, *reply)
            for queue, reply in zip(queues, replies, strict=True)
        }

    def _read(self, queue: str, now: int, lanes: list[int], told: list[bytes], kept: list[bytes]) -> Steering:
        self._access.clock.set(now)
        found = steering(pairs(told), now, (READY, *lanes), pairs(kept))
        self._access.learn_retention(queue, found.retention)
        return found


def _subject(task: str | None) -> bytes:
    return PAUSED if task is None else TASK + task.encode()
