"""Queues: their names, and how many jobs each has."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from streamq.model.job_record import Counts
from streamq.model.keys import GROUP, Keys
from streamq.model.moving import LEFT
from streamq.model.names import is_partition
from streamq.model.shown import shown
from streamq.redis import scripts
from streamq.redis.answers import is_of_another_type, translate
from streamq.store.access import Access

log = logging.getLogger("streamq.store")


SCANNED: Final = 1_000
"""Names of keys that one step of a walk looks at: half a millisecond of the server's time."""


class Queues:
    """Commands: a queue is put on the list and taken off it. Queries: the list, and how many jobs are where."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known_invalid: frozenset[bytes] = frozenset()
        """Members of the list that are no valid names, and were logged."""

    # -- commands -------------------------------------------------------------------------------------------

    async def announce(self, *queues: str) -> None:
        """Put the names of queues on their list, all at once."""
        async with self._access.pool.links() as links:
            await scripts.NOTE.run(
                links.home, scripts.NOTE.on(key=self._access.shared.queues), "SADD", *queues
            )

    async def strike(self, *names: str | bytes) -> None:
        """Take names off the list of queues. A producer or a worker of such a queue adds it again."""
        await self._access.pool.call_home("SREM", self._access.shared.queues, *names)

    async def remove(self, queue: str, *, purge: bool) -> str:
        """Remove all that there is of a queue. Returns what is in the way: ``workers``, ``jobs``, or nothing.

        What has a name of its own, such as the record of a producer, is found by a walk through the names of all keys.
        """
        keys = self._access.keys(queue)
        async with self._access.pool.links() as links:
            link = links.of(queue)

            async def removed(others: Sequence[Any], purges: bool) -> str:
                on = scripts.QUEUE_REMOVE.on(keys, others=others)
                return str((await scripts.QUEUE_REMOVE.run(link, on, int(purges))).decode())

            known = keys.removed
            if await link.call("HGET", keys.migration, "phase") == LEFT.encode():
                known += (keys.records, keys.records_ends)
            if in_the_way := await removed(known, purge):
                return in_the_way
            cursor = b"0"
            while True:
                cursor, found = await link.call("SCAN", cursor, "MATCH", keys.pattern, "COUNT", SCANNED)
                rest = [name for name in found if not keys.outlives(name.decode("utf-8", "replace"))]
                if (rest and await removed(rest, False)) or cursor == b"0":
                    break  # the first when it is in use again: what there is now is of its new life
        await self.strike(queue)
        return ""

    # -- queries --------------------------------------------------------------------------------------------

    async def names(self) -> set[str]:
        """The names of the partitions of all queues that were ever used. What cannot name one is logged once and left
        out."""
        names, invalid = await self.names_and_invalid()
        if fresh := invalid - self._known_invalid:
            log.warning(
                "%d members of %s cannot name a queue and are left out: %s; `streamq doctor` says how to remove them",
                len(fresh), self._access.shared.queues,
                ", ".join(shown(name.decode("utf-8", "backslashreplace"), 64) for name in sorted(fresh)[:5]),
            )  # fmt: skip
        self._known_invalid = invalid
        return names

    async def names_and_invalid(self) -> tuple[set[str], frozenset[bytes]]:
        """The names of all queues, and the members of their list that are no valid names (another program's)."""
        members = await self._access.pool.call_home("SMEMBERS", self._access.shared.queues)
        texts = {member: member.decode("utf-8", "replace") for member in members}
        names = {text for text in texts.values() if is_partition(text)}
        return names, frozenset(member for member, text in texts.items() if text not in names)

    async def counts(self, queue: str) -> Counts:
        """How many jobs are in each state; a fixed number of O(1) commands.

        They count entries, so what was damaged by hand is counted as it lies: an active job whose entry was
        deleted is one active too many, and a waiting one too few, until the next audit (a minute at most).
        """
        return await self.counts_in(queue, self._access.keys(queue))

    async def counts_in(self, queue: str, keys: Keys) -> Counts:
        """The same of these keys of it."""
        async with self._access.pool.links() as links:
            replies = await links.of(queue).batch(
                *[("XLEN", lane) for lane in keys.lanes],
                *[("XPENDING", lane, GROUP) for lane in keys.lanes],
                ("ZCARD", keys.delayed), ("HLEN", keys.parked),
                ("HLEN", keys.finished), ("ZCARD", keys.failures), ("LLEN", keys.failed),
                ("ZCARD", keys.cancelled), ("ZCARD", keys.expired),
            )  # fmt: skip
        *lengths, delayed, parked, finished, failed, unmoved, cancelled, expired = map(_number, replies)
        entries, pending = sum(lengths[: len(keys.lanes)]), sum(lengths[len(keys.lanes) :])
        active = min(pending, entries)
        return Counts(
            waiting=entries - active, active=active, delayed=delayed,
            held=max(0, parked - delayed), failed=failed + unmoved,
            # not the length of their list, which keeps ids of deleted records
            completed=max(0, finished - failed - unmoved - cancelled - expired),
            cancelled=cancelled, expired=expired,
        )  # fmt: skip


def _number(reply: Any) -> int:
    if isinstance(reply, Exception):
        if "NOGROUP" in str(reply) or is_of_another_type(reply):
            return 0
        raise translate(reply, sent=True) from reply
    if isinstance(reply, list):  # XPENDING's summary begins with the number
        return int(reply[0])
    return int(reply)
