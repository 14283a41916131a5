"""Outcomes of attempts: written where the job is still pending under the worker, many in one round trip."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from streamq.errors import OutcomeUnknown, StreamqError
from streamq.model.envelope import Place
from streamq.model.keys import Keys
from streamq.model.outcomes import DELAYED, FAILED
from streamq.redis import scripts
from streamq.redis.link import Link
from streamq.redis.links import Links
from streamq.store.access import Access
from streamq.store.tidying import tidy

SETTLED_AT_ONCE: Final = 1_000
"""Outcomes that one call of settle.lua takes: Lua's ``unpack`` can pass on some thousands of arguments."""
KEYED, LATER, FAILURE = 2, 4, 4
"""As how many of them one counts that gives up a unique key, one that is delayed and so might be cancelled, and one
that has failed and so belongs to a group: by what they cost the server."""
SETTLED_BYTES: Final = 1 << 20
"""Bytes of records in one call, or one record that is larger: some milliseconds of the server's time."""


class Settlement(NamedTuple):
    """One outcome of an attempt, as settle.lua takes it."""

    kind: str
    """A name of ``model.outcomes``."""
    lane: int
    entry: bytes
    job_id: str
    body: bytes
    """The record of a job that has ended, or the envelope of a delayed one."""
    due: str = ""
    """When a delayed one is due."""
    key: str = ""
    """The unique key that its end gives up; empty for none, as of most."""
    task: str = ""
    """What the statistics count it for."""
    group: str = ""
    """And the group of the job; empty for none, as of most."""


Settled = tuple[str, list[Settlement], list[bytes] | StreamqError]
"""A queue, outcomes of it, and the entries of those that were refused, or why none was taken."""

Reads = Mapping[Place, list[bytes]]
"""By the place of the first, the entries that one read of a lane brought: all of them, in its order."""
NONE: Final[Reads] = MappingProxyType({})


class Outcomes:
    """Commands: outcomes are written."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def settle(
        self, links: Links, batches: dict[str, list[Settlement]], reads: Reads = NONE
    ) -> list[bytes]:
        """Write outcomes, by queue, in one round trip. Returns the entries whose outcome was refused.

        Outcomes of all that one of the ``reads`` brought, of one kind and in its order, cost the server half.

        Raises what the server says of the first queue that it refuses; those of the others are written.
        """
        refused: list[bytes] = []
        for _, _, said in await self.settle_each(links, batches, reads):
            if isinstance(said, StreamqError):
                raise said
            refused += said
        return refused

    async def settle_each(
        self, links: Links, batches: dict[str, list[Settlement]], reads: Reads = NONE
    ) -> list[Settled]:
        """The same, with what the server says of each part in its place: one that it refuses hides no other.

        Raises only when no server can be reached.
        """
        parts = [(queue, part) for queue, whole in batches.items() for part in _bounded(whole)]
        calls = [self._call(queue, part, reads) for queue, part in parts]

        async def send(link: Link, places: Sequence[int]) -> list[Any]:
            replies = await scripts.SETTLE.run_each(link, [calls[place] for place in places])
            for reply in replies:
                if isinstance(
                    reply, OutcomeUnknown
                ):  # the connection broke: all of them are to be written again
                    raise reply
            return replies

        settled: list[Settled] = []
        replies = await links.pipeline([queue for queue, _ in parts], send)
        for (queue, part), reply in zip(parts, replies, strict=True):
            if isinstance(reply, StreamqError):
                settled.append((queue, part, reply))
            else:
                now, *refused = reply
                self._access.clock.set(now)
                settled.append((queue, part, refused))
                if queue in self._access.retentions:
                    left = set(refused)
                    ended = [(s.kind, s.job_id, s.body) for s in part if s.entry not in left]
                    await tidy(self._access, links, queue, ended)
        return settled

    async def not_written(
        self, links: Links, queue: str, part: list[Settlement], refused: list[bytes]
    ) -> list[bytes]:
        """Of outcomes that were sent twice and refused the second time, those that the first had not written.

        Those whose records, or envelopes, are not there as they were sent: somebody else's may be, or none any more.
        """
        left, keys = set(refused), self._access.keys(queue)
        again = [settlement for settlement in part if settlement.entry in left]
        ids = [settlement.job_id for settlement in again]
        ended, parked = await links.of(queue).calls(
            ("HMGET", keys.finished, *ids), ("HMGET", keys.parked, *ids)
        )
        rows = zip(again, ended, parked, strict=True)
        return [settlement.entry for settlement, *found in rows if settlement.body not in found]

    def _call(self, queue: str, part: list[Settlement], reads: Reads) -> tuple[Keys, list[Any]]:
        settings, told = self._access.settings, self._access.retentions.get(queue)
        keep = settings.keep_completed
        if told is not None and told.queue.completed is not None:
            keep = told.queue.completed
        part_of = self._access.part_of
        arguments: list[Any] = [part_of(queue, keep), part_of(queue, settings.keep_failed)]
        for alike in _alike(part):
            for some, whole in _by_read(queue, alike, reads):
                arguments += _group(some, whole=whole)
        return self._access.keys(queue), arguments


def _group(alike: list[Settlement], *, whole: bool) -> list[Any]:
    """Outcomes of one kind and one lane as settle.lua takes them."""
    entries = [s.entry for s in alike]
    if b" ".join(entries).decode() == " ".join([s.job_id for s in alike]):
        entries = []  # they are the ids
    keys = [s[6] for s in alike]  # their unique keys
    if not any(keys):
        keys = []
    group: list[Any] = [alike[0].kind, alike[0].lane, len(alike), len(entries), int(whole), len(keys)]
    for s in alike:
        group += s[3:5]  # id and body
    if alike[0].kind == DELAYED:
        group += [s.due for s in alike]
    return group + entries + keys


def _by_read(queue: str, alike: list[Settlement], reads: Reads) -> Iterator[tuple[list[Settlement], bool]]:
    """The same outcomes in parts, and whether a part is all that one read brought, in its order."""
    entries, lane, at, begin = [s.entry for s in alike], alike[0].lane, 0, 0
    while reads and at < len(entries):
        read = reads.get((queue, lane, entries[at]))
        if read is None or entries[at : at + len(read)] != read:
            at += 1
            continue
        if at > begin:
            yield alike[begin:at], False
        begin = at + len(read)
        yield alike[at:begin], True
        at = begin
    if begin < len(alike):
        yield alike[begin:], False


def _bounded(settlements: list[Settlement]) -> Iterator[list[Settlement]]:
    """Parts that one call may take, by number and by bytes."""
    heavy = LATER * len(settlements) > SETTLED_AT_ONCE and any(
        s.due or s.key or s.kind == FAILED for s in settlements
    )
    few = 0 < len(settlements) <= SETTLED_AT_ONCE and not heavy
    if few and sum([len(s.body) for s in settlements]) <= SETTLED_BYTES:
        yield settlements  # the usual case, and this is a hot path
        return
    part: list[Settlement] = []
    count = size = 0
    for settlement in settlements:
        weight = (
            FAILURE
            if settlement.kind == FAILED
            else LATER
            if settlement.due
            else KEYED
            if settlement.key
            else 1
        )
        if part and (count + weight > SETTLED_AT_ONCE or size + len(settlement.body) > SETTLED_BYTES):
            yield part
            part, count, size = [], 0, 0
        part.append(settlement)
        count += weight
        size += len(settlement.body)
    if part:
        yield part


def _alike(settlements: list[Settlement]) -> Iterator[list[Settlement]]:
    """Parts of one kind and one lane, as settle.lua takes them."""
    kind, lane, count = settlements[0].kind, settlements[0].lane, len(settlements)
    if [s[0] for s in settlements].count(kind) == count and [s[1] for s in settlements].count(lane) == count:
        yield settlements  # the usual case, and a set of pairs would cost twice as much
        return
    alike: dict[tuple[str, int], list[Settlement]] = {}
    for settlement in settlements:
        alike.setdefault((settlement.kind, settlement.lane), []).append(settlement)
    yield from alike.values()
