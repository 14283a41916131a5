"""Seats in the upkeep of a queue: claims that expire, of those who do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from streamq.errors import StreamqError
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.redis.replies import raw_name
from streamq.store.access import Access


class Claimed(NamedTuple):
    """What came of a claim on a seat (0: none) in the upkeep of a queue."""

    seat: int
    workers: int
    others: bool
    """Whether others stand by; for one who does so itself, whether another of them has looked just now."""


class Seats:
    """Commands: seats are taken and given up. Queries: whether any is taken."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # -- commands -------------------------------------------------------------------------------------------

    async def claim(
        self, links: Links, queues: Mapping[str, bool], who: str, seats: Sequence[int], seconds: float,
        look: float,
    ) -> dict[str, Claimed | StreamqError]:  # fmt: skip
        """Take or renew the best free seat of each queue's upkeep, for ``seconds``; ``queues`` says where for the
        first time. In ``look`` seconds one look is enough, of all who stand by.

        By queue, or what went wrong in it.
        """
        lasts, within = max(1, int(seconds * 1000)), max(1, int(look * 1000))
        names = list(queues)

        async def send(link: Link, places: Sequence[int]) -> list[Any]:
            calls = [
                (
                    scripts.CLAIM.on(keys, look=keys.look(seats[0]), seats=keys.seats(*seats)),
                    (who, lasts, int(queues[keys.queue]), within),
                )
                for keys in [self._access.keys(names[place]) for place in places]
            ]
            return await scripts.CLAIM.run_each(link, calls)

        replies = await links.pipeline(names, send)
        return {
            queue: reply
            if isinstance(reply, StreamqError)
            else Claimed(seats[reply[0] - 1] if reply[0] else 0, reply[1], bool(reply[2]))
            for queue, reply in zip(names, replies, strict=True)
        }

    async def vacate(self, links: Links, queues: Sequence[str], who: str) -> None:
        """Give up all seats that ``who`` has in the upkeep of these queues."""

        async def send(link: Link, places: Sequence[int]) -> list[Any]:
            asked = [self._access.keys(queues[place]) for place in places]
            return await scripts.VACATE.run_each(
                link, [(scripts.VACATE.on(seats=keys.seats(1, 2, 3)), (raw_name(who),)) for keys in asked]
            )

        if queues:
            await links.pipeline(queues, send)

    # -- queries --------------------------------------------------------------------------------------------

    async def taken(self, queue: str, *seats: int) -> bool:
        """Whether one of these seats is taken."""
        return bool(await self._access.pool.call(queue, "EXISTS", *self._access.keys(queue).seats(*seats)))
