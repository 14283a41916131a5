"""Seats in the upkeep of a queue: expiring claims of the processes that do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from streamq.errors import StreamqError
from streamq.redis import scripts
from streamq.redis.links import Links
from streamq.redis.replies import raw_name
from streamq.store.access import Access


class Claimed(NamedTuple):
    """The reply to a claim: the seat that this process has now in the upkeep of a queue, 0 for none."""

    seat: int
    workers: int
    others: bool
    """Whether other processes stand by; to one that stands by itself: whether another of them has just checked."""


class Seats:
    """Commands: seats are taken and given up. Queries: whether any is taken."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def claim(
        self, links: Links, queues: Mapping[str, bool], who: str, seats: Sequence[int], seconds: float,
        look: float,
    ) -> dict[str, Claimed | StreamqError]:  # fmt: skip
        """Take or renew the best free seat in the upkeep of each queue, for ``seconds``; in ``queues`` the value says
        whether it is the first claim. All processes that stand by share one check in ``look`` seconds.

        By queue, or what went wrong in it.
        """
        lasts, within = max(1, int(seconds * 1000)), max(1, int(look * 1000))
        calls = [
            (
                scripts.CLAIM.on(keys, look=keys.look(seats[0]), seats=keys.seats(*seats)),
                (who, lasts, int(queues[keys.queue]), within),
            )
            for keys in map(self._access.keys, queues)
        ]
        replies = await scripts.CLAIM.run_over(links, list(queues), calls)
        return {
            queue: reply
            if isinstance(reply, StreamqError)
            else Claimed(seats[reply[0] - 1] if reply[0] else 0, reply[1], bool(reply[2]))
            for queue, reply in zip(queues, replies, strict=True)
        }

    async def vacate(self, links: Links, queues: Sequence[str], who: str) -> None:
        """Give up all seats that ``who`` has in the upkeep of these queues."""
        seats = [self._access.keys(queue).seats(1, 2, 3) for queue in queues]
        calls = [(scripts.VACATE.on(seats=each), (raw_name(who),)) for each in seats]
        if queues:
            await scripts.VACATE.run_over(links, queues, calls)

    # -- queries --------------------------------------------------------------------------------------------

    async def taken(self, queue: str, *seats: int) -> bool:
        """Whether one of these seats is taken."""
        return bool(await self._access.pool.call(queue, "EXISTS", *self._access.keys(queue).seats(*seats)))
